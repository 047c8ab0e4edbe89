/* search.c — finds slaves by their number, or by a part of their label, ABI, platform or board. */
#include "search.h"

#include "shared/board.h"

#include <stdio.h>

void search_open(ui_search *self)
{
    *self = (ui_search){.open = true};
}

void search_add(ui_search *self, int character)
{
    size_t len = strlen(self->text);
    unsigned code = (unsigned)character;
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    if (code < 0x20 || code == 0x7f || len + 1 + more > SEARCH_MAX)
        return;
    static const unsigned char firsts[] = {0, 0xc0, 0xe0, 0xf0};
    self->text[len] = (char)(firsts[more] | code >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        self->text[len + i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
    self->text[len + 1 + more] = '\0';
}

void search_back(ui_search *self)
{
    size_t len = strlen(self->text);
    while (len > 0 && ((unsigned char)self->text[len - 1] & 0xc0) == 0x80)
        len--;
    self->text[len > 0 ? len - 1 : 0] = '\0';
}

static bool is_number_of(const ui_search *self, const model_slave *slave)
{
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)slave->id);
    return strcmp(number, self->text) == 0;
}

static bool matches(const ui_search *self, const model_slave *slave)
{
    char board[PIW_BOARD_NAME] = "";
    const slave_hello *hello = model_hello(slave);
    if (is_number_of(self, slave))
        return true;
    if (hello == NULL)
        return false;
    piw_board_name(hello->board_revision.s, board);
    const char *const texts[] = {hello->label.s, hello->abi.s, hello->platform.s, hello->board_revision.s, board};
    for (size_t i = 0; i < PIW_COUNT(texts); i++)
        if (strcasestr(texts[i], self->text) != NULL)
            return true;
    return false;
}

size_t search_count(const ui_search *self, const model *known)
{
    size_t count = 0;
    for (size_t i = 0; i < known->count; i++)
        count += matches(self, known->slaves[i]);
    return count;
}

size_t search_first(const ui_search *self, const model *known, int64_t place)
{
    for (size_t i = 0; i < known->count; i++)
        if (is_number_of(self, known->slaves[i]))
            return i;
    return search_next(self, known, place, true);
}

size_t search_next(const ui_search *self, const model *known, int64_t place, bool forward)
{
    int64_t count = (int64_t)known->count;
    int64_t from = place < 0 ? (forward ? -1 : count) : place;
    for (int64_t i = 1; i <= count; i++) {
        int64_t at = (from + (forward ? i : -i) + 2 * count) % count;
        if (matches(self, known->slaves[at]))
            return (size_t)at;
    }
    return known->count;
}
