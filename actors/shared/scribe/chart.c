/* chart.c — figures as pictures: SVG inside of the page, with the same figures as a table. Sizes and colours are attributes and
 * classes: a strict Content-Security-Policy takes no styles inside of pages. Bars are stretched to the page's width, so all text
 * is outside of the picture. */
#include "chart.h"

#include "shared/text.h"

#include <stdio.h>
#include <time.h>

enum { WIDTH = 600, HEIGHT = 160, GRID = 4 };

static const char *day_name(int64_t day, char *to, size_t size)
{
    time_t moment = (time_t)(day * 86400);
    struct tm utc;
    if (gmtime_r(&moment, &utc) == NULL || strftime(to, size, "%Y-%m-%d", &utc) == 0)
        to[0] = '\0';
    return to;
}

static void put_number(piw_buffer *to, int64_t number)
{
    char digits[32];
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            piw_put(to, ",");
        piw_put_bytes(to, digits + i, 1);
    }
}

static int64_t sum_of(const chart_days *chart, uint32_t day)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < chart->count; i++)
        sum += chart->values[day * chart->count + i];
    return sum;
}

/* A round number that is not less. */
static int64_t round_up(int64_t value)
{
    static const int64_t steps[] = {10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100};
    int64_t unit = 1;
    while (value > 100 * unit)
        unit *= 10;
    for (size_t i = 0; value > 10 && i < PIW_COUNT(steps); i++) {
        if (value <= steps[i] * unit)
            return steps[i] * unit;
    }
    return value;
}

static void put_bar(const chart_days *chart, uint32_t day, int64_t top, piw_buffer *to)
{
    char name[16];
    double width = (double)WIDTH / chart->days, y = HEIGHT;
    piw_putf(to, "<g><title>%s:", day_name(chart->today - chart->days + 1 + day, name, sizeof(name)));
    for (uint32_t i = 0; i < chart->count; i++) {
        piw_put(to, i == 0 ? " " : ", ");
        piw_put_html(to, chart->labels[i]);
        piw_put(to, " ");
        put_number(to, chart->values[day * chart->count + i]);
    }
    /* The whole column shows the title. */
    piw_putf(to, "</title><rect x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"%d\" fill=\"none\" pointer-events=\"all\"/>",
             day * width, width, HEIGHT);
    for (uint32_t i = 0; i < chart->count; i++) {
        int64_t value = chart->values[day * chart->count + i];
        if (value <= 0)
            continue;
        double height = (double)value / (double)top * HEIGHT;
        y -= height;
        piw_putf(to, "<rect class=\"f%u\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
                 (chart->first_colour + i) % CHART_SERIES_MAX, day * width + width * .1, y, width * .8, height);
    }
    piw_put(to, "</g>");
}

static void put_table(const chart_days *chart, piw_buffer *to)
{
    char name[16];
    piw_put(to,
            "<details><summary>As a table</summary><div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"");
    piw_put(to, chart->title);
    piw_put(to, "\"><table><thead><tr><th scope=\"col\">Day</th>");
    for (uint32_t i = 0; i < chart->count; i++) {
        piw_put(to, "<th scope=\"col\">");
        piw_put_html(to, chart->labels[i]);
        piw_put(to, "</th>");
    }
    piw_put(to, "</tr></thead><tbody>");
    for (uint32_t day = chart->days; day > 0; day--) {
        piw_putf(to, "<tr><th scope=\"row\">%s</th>", day_name(chart->today - chart->days + day, name, sizeof(name)));
        for (uint32_t i = 0; i < chart->count; i++) {
            piw_put(to, "<td>");
            put_number(to, chart->values[(day - 1) * chart->count + i]);
            piw_put(to, "</td>");
        }
        piw_put(to, "</tr>");
    }
    piw_put(to, "</tbody></table></div></details>");
}

static void put_key(const chart_days *chart, piw_buffer *to)
{
    piw_put(to, "<ul class=\"key\">");
    for (uint32_t i = 0; i < chart->count; i++) {
        int64_t sum = 0;
        for (uint32_t day = 0; day < chart->days; day++)
            sum += chart->values[day * chart->count + i];
        piw_putf(to, "<li><span class=\"swatch f%u\"></span>", (chart->first_colour + i) % CHART_SERIES_MAX);
        piw_put_html(to, chart->labels[i]);
        piw_put(to, ": ");
        put_number(to, sum);
        piw_put(to, "</li>");
    }
    piw_put(to, "</ul>");
}

/* Beside the picture: what its top, its middle and its bottom stand for. */
static void put_scale(int64_t top, piw_buffer *to)
{
    piw_put(to, "<ul class=\"scale\" aria-hidden=\"true\"><li>");
    put_number(to, top);
    if (top % 2 == 0) {
        piw_put(to, "</li><li>");
        put_number(to, top / 2);
    }
    piw_put(to, "</li><li>0</li></ul>");
}

static void put_axis(const chart_days *chart, piw_buffer *to)
{
    char name[16];
    const int64_t first = chart->today - chart->days + 1;
    const int64_t named[] = {first, first + (chart->days - 1) / 2, chart->today};
    piw_put(to, "<div class=\"axis\">");
    for (size_t i = 0; i < PIW_COUNT(named); i++)
        piw_putf(to, "<span>%s</span>", day_name(named[i], name, sizeof(name)));
    piw_put(to, "</div>");
}

void chart_put_days(const chart_days *chart, piw_buffer *to)
{
    int64_t most = 0, all = 0;
    for (uint32_t day = 0; day < chart->days; day++) {
        int64_t sum = sum_of(chart, day);
        most = sum > most ? sum : most;
        all += sum;
    }
    int64_t top = round_up(most > 0 ? most : 1);
    piw_putf(to, "<figure class=\"chart\"><figcaption>%s</figcaption>", chart->title);
    if (all == 0) {
        piw_putf(to, "<p class=\"none\">none in %u days</p></figure>", chart->days);
        return;
    }
    piw_put(to, "<div class=\"plot\">");
    put_scale(top, to);
    piw_putf(to,
             "<svg class=\"days\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s: ",
             WIDTH, HEIGHT, chart->title);
    put_number(to, all);
    piw_putf(to, " in %u days, ", chart->days);
    put_number(to, most);
    piw_put(to, " at most\">");
    for (int i = 0; i < GRID; i++)
        piw_putf(to, "<line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", WIDTH, i * HEIGHT / GRID,
                 i * HEIGHT / GRID);
    for (uint32_t day = 0; day < chart->days; day++)
        put_bar(chart, day, top, to);
    piw_put(to, "</svg>");
    put_axis(chart, to);
    piw_put(to, "</div>");
    put_key(chart, to);
    put_table(chart, to);
    piw_put(to, "</figure>");
}

void chart_put_rows(const char *title, const char *nothing, const chart_row *rows, size_t count, int64_t whole,
                    piw_buffer *to)
{
    int64_t most = whole;
    for (size_t i = 0; i < count && whole == 0; i++)
        most = rows[i].value > most ? rows[i].value : most;
    piw_putf(to, "<figure class=\"chart\"><figcaption>%s</figcaption>", title);
    if (count == 0)
        piw_putf(to, "<p class=\"none\">%s</p>", nothing);
    else
        piw_put(to, "<ul class=\"rows\">");
    for (size_t i = 0; i < count; i++) {
        piw_put(to, "<li><span class=\"label\">");
        piw_put_html(to, rows[i].label);
        piw_put(to, "</span> <span class=\"num\">");
        if (rows[i].shown != NULL)
            piw_put_html(to, piw_text_of(rows[i].shown));
        else
            put_number(to, rows[i].value);
        piw_putf(
            to,
            "</span><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"f0\" "
            "width=\"%.1f\" height=\"10\"/></svg></li>",
            most > 0 ? (double)rows[i].value / (double)most * 1000 : 0.0);
    }
    piw_put(to, count == 0 ? "</figure>" : "</ul></figure>");
}
