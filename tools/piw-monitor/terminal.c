/* terminal.c — the terminal. No other file uses curses. */
#define NCURSES_WIDECHAR 1

#include "terminal.h"

#include "ui.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <term.h>
#include <unistd.h>

#undef columns /* term.h names all capabilities with macros */

enum { ESCAPE_MS = 50, SIDE_MAX = 1000 };

static SCREEN *screen;
static FILE *keys; /* where keys are read: the terminal, opened once more, or stdin */
static bool coloured, ascii;

static bool has_string(const char *capability)
{
    const char *found = tigetstr(capability);
    return found != NULL && found != (const char *)-1;
}

static int check(piw_err *err)
{
    const char *type = getenv("TERM");
    int found = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return piw_err_set(err, PIW_EUSAGE, "it needs a terminal to draw on; piw-ctl list shows figures once");
    if (type == NULL || setupterm(type, STDOUT_FILENO, &found) != OK)
        return piw_err_set(err, PIW_EUSAGE, "the terminal type %.50s is unknown here; set TERM to another",
                           type != NULL && type[0] != '\0' ? type : "(unset)");
    bool able = has_string("cup") && has_string("clear");
    del_curterm(cur_term);
    return able ? 0
                : piw_err_set(err, PIW_EUSAGE, "a terminal of type %.50s can't place text; set TERM to another", type);
}

static void start_colours(void)
{
    const char *refused = getenv("NO_COLOR");
    coloured = (refused == NULL || refused[0] == '\0') && has_colors() && start_color() == OK;
    if (!coloured)
        return;
    short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;
    static const short colours[] = {COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_BLUE, COLOR_MAGENTA, COLOR_CYAN};
    for (size_t i = 0; i < PIW_COUNT(colours); i++)
        init_pair((short)(i + 1), colours[i], ground);
}

/* After an event of the mouse that it ignores, curses waits for the next key. So it gets a descriptor of the
 * terminal of our own that never waits. Our standard input may be shared with other programs, and is left as it is. */
static FILE *open_keys(void)
{
    unsigned device = 0;
    struct stat status;
    int fd = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool same =
        fd >= 0 && fstat(STDIN_FILENO, &status) == 0 && ioctl(fd, TIOCGDEV, &device) == 0 && status.st_rdev == device;
    FILE *file = same ? fdopen(fd, "r") : NULL;
    if (file == NULL && fd >= 0)
        close(fd);
    return file != NULL ? file : stdin;
}

int term_open(piw_err *err)
{
    int rc = check(err);
    if (rc != 0)
        return rc;
    keys = open_keys();
    setlocale(LC_CTYPE, "");
    ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    screen = newterm(NULL, stdout, keys);
    if (screen == NULL)
        return piw_err_set(err, PIW_ESYS, "the terminal can't be taken over");
    start_colours();
    cbreak();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    curs_set(0);
    mouseinterval(0);
    mousemask(ALL_MOUSE_EVENTS, NULL);
    return 0;
}

void term_close(void)
{
    if (screen == NULL)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
    if (keys != stdin)
        fclose(keys);
}

int term_fd(void)
{
    return fileno(keys);
}

static void size_of(int *rows, int *columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *rows = known ? size.ws_row : LINES;
    *columns = known ? size.ws_col : COLS;
    *rows = *rows < SIDE_MAX ? *rows : SIDE_MAX;
    *columns = *columns < SIDE_MAX ? *columns : SIDE_MAX;
}

void term_resized(void)
{
    int rows, columns;
    size_of(&rows, &columns);
    if (is_term_resized(rows, columns))
        resizeterm(rows, columns);
}

canvas *term_canvas(void)
{
    int rows, columns;
    getmaxyx(stdscr, rows, columns);
    return canvas_new(rows > 0 ? rows : 1, columns > 0 ? columns : 1, ascii);
}

static attr_t attributes(unsigned style)
{
    attr_t attr = A_NORMAL;
    if (style & CANVAS_BOLD)
        attr |= A_BOLD;
    if (style & CANVAS_DIM)
        attr |= A_DIM;
    if (style & CANVAS_REVERSE)
        attr |= A_REVERSE;
    return attr;
}

void term_show(const canvas *what, bool anew)
{
    if (anew)
        clearok(curscr, TRUE);
    erase();
    for (int row = 0; row < what->rows; row++)
        for (int column = 0; column < what->columns; column++) {
            const canvas_cell *cell = &what->cells[row * what->columns + column];
            cchar_t shown;
            short pair = (short)(coloured ? cell->style & CANVAS_COLOURS : 0);
            if (cell->width > 0 && setcchar(&shown, cell->text, attributes(cell->style), pair, NULL) == OK)
                mvadd_wch(row, column, &shown);
        }
    refresh();
}

/* --- Input -------------------------------------------------------------------------------------------------------- */

static int name_of(wint_t key)
{
    static const struct {
        wint_t from;
        int to;
    } names[] = {{KEY_UP, UI_UP},
                 {KEY_DOWN, UI_DOWN},
                 {KEY_PPAGE, UI_PAGE_UP},
                 {KEY_NPAGE, UI_PAGE_DOWN},
                 {KEY_HOME, UI_HOME},
                 {KEY_END, UI_END},
                 {KEY_ENTER, UI_ENTER},
                 {KEY_A1, UI_HOME},
                 {KEY_C1, UI_END},
                 {KEY_A3, UI_PAGE_UP},
                 {KEY_C3, UI_PAGE_DOWN},
                 {KEY_REFRESH, UI_REDRAW},
                 {KEY_BACKSPACE, UI_BACKSPACE}};
    for (size_t i = 0; i < PIW_COUNT(names); i++)
        if (names[i].from == key)
            return names[i].to;
    return -1;
}

static bool take_mouse(term_event *event)
{
    MEVENT mouse;
    if (getmouse(&mouse) != OK)
        return false;
    *event = (term_event){.row = mouse.y, .column = mouse.x};
    if (mouse.bstate & BUTTON4_PRESSED)
        event->key = UI_WHEEL_UP;
    else if (mouse.bstate & BUTTON5_PRESSED)
        event->key = UI_WHEEL_DOWN;
    else if ((mouse.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED)) == 0)
        return false;
    return true;
}

bool term_next(term_event *event)
{
    wint_t key;
    int kind;
    while ((kind = get_wch(&key)) != ERR) {
        *event = (term_event){0};
        if (kind == KEY_CODE_YES && key == KEY_MOUSE) {
            if (take_mouse(event))
                return true;
        } else if (kind == KEY_CODE_YES) {
            event->key = name_of(key);
            if (event->key > 0)
                return true;
        } else if (key != 0) {
            event->key = key == 0x1b                  ? UI_ESCAPE
                         : key == '\r' || key == '\n' ? UI_ENTER
                         : key == '\b' || key == 0x7f ? UI_BACKSPACE
                                                      : (int)key;
            return true;
        }
    }
    return false;
}
