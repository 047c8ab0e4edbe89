/* ui.c — what the user has chosen. Turns keys and clicks into commands. */
#include "ui.h"

void ui_init(ui *self, const char *address)
{
    *self = (ui){.all = true, .page = 1, .address = address};
}

model_slave *ui_slave(const ui *self, const model *known)
{
    return self->all ? NULL : model_find(known, self->chosen);
}

/* --- Choosing ----------------------------------------------------------------------------------------------------- */

static void choose(ui *self, const model *known, int64_t place)
{
    self->all = place < 0 || known->count == 0;
    if (self->all)
        return;
    self->place = (size_t)place < known->count ? (size_t)place : known->count - 1;
    self->chosen = known->slaves[self->place]->id;
}

static void move(ui *self, const model *known, int64_t by)
{
    const model_slave *slave = ui_slave(self, known);
    int64_t place = self->all ? -1 : slave != NULL ? (int64_t)model_place(known, slave) : (int64_t)self->place;
    if (!self->all && slave == NULL && by > 0)
        place -= 1; /* the next slave has taken the place of the one that is gone */
    choose(self, known, place + by);
}

/* --- Searching ------------------------------------------------------------------------------------------------------- */

/* Chooses the slave that is searched for: with Enter, n or N. */
static void jump(ui *self, model *known, int key, int64_t now_us)
{
    const model_slave *slave = ui_slave(self, known);
    int64_t place = slave != NULL ? (int64_t)model_place(known, slave) : -1;
    if (self->search.text[0] == '\0') {
        model_say(known, LEVEL_WARNING, now_us, "nothing was searched for yet: / begins");
        return;
    }
    size_t found = key == UI_ENTER ? search_first(&self->search, known, place)
                                   : search_next(&self->search, known, place, key == 'n');
    if (found < known->count)
        choose(self, known, (int64_t)found);
    else
        model_say(known, LEVEL_WARNING, now_us,
                  "no slave has '%s' as its number or in its label, ABI, platform or board", self->search.text);
}

static void search_key(ui *self, model *known, int key, int64_t now_us)
{
    if (key == UI_ENTER && self->search.text[0] != '\0')
        jump(self, known, key, now_us);
    if (key == UI_ENTER || key == UI_ESCAPE)
        self->search.open = false;
    else if (key == UI_BACKSPACE)
        search_back(&self->search);
    else if (key < UI_UP)
        search_add(&self->search, key);
}

/* --- Commands ----------------------------------------------------------------------------------------------------- */

static const command nothing = {.kind = COMMAND_NONE};

/* Commands that throw work away or end something are confirmed first. */
static command confirm(ui *self, command what)
{
    self->waiting = what;
    self->dialog = DIALOG_CONFIRM;
    return nothing;
}

static command to_chosen(ui *self, model *known, command_kind kind, int64_t now_us)
{
    const model_slave *slave = ui_slave(self, known);
    command what = {.kind = kind, .all = self->all, .slave_id = self->all ? 0 : self->chosen};
    if (!self->all && (slave == NULL || slave->forget_us != 0)) {
        model_say(known, LEVEL_WARNING, now_us, "%s was not sent: the chosen slave is gone", model_command_name(kind));
        return nothing;
    }
    return kind == COMMAND_KILL || (kind == COMMAND_SKIP && self->all) ? confirm(self, what) : what;
}

static command dialog_key(ui *self, int key)
{
    ui_dialog dialog = self->dialog;
    if (dialog == DIALOG_HELP) {
        if (key == UI_DOWN || key == UI_PAGE_DOWN || key == UI_WHEEL_DOWN)
            self->help_top++;
        else if (key == UI_UP || key == UI_PAGE_UP || key == UI_WHEEL_UP)
            self->help_top -= self->help_top > 0;
        else
            self->dialog = DIALOG_NONE;
        return nothing;
    }
    bool yes = key == 'y' || key == 'Y',
         no = key == 'n' || key == 'N' || key == 'q' || key == UI_ESCAPE || key == UI_ENTER;
    if (yes || no)
        self->dialog = DIALOG_NONE;
    return yes ? self->waiting : nothing;
}

command ui_key(ui *self, model *known, int key, int64_t now_us)
{
    if (key == UI_REDRAW || key == 'L' - '@') {
        self->redraw = true;
        return nothing;
    }
    if (self->dialog != DIALOG_NONE)
        return dialog_key(self, key);
    if (self->search.open) {
        search_key(self, known, key, now_us);
        return nothing;
    }
    switch (key) {
    case UI_UP:
        move(self, known, -1);
        break;
    case UI_DOWN:
        move(self, known, 1);
        break;
    case UI_WHEEL_UP:
        move(self, known, -3);
        break;
    case UI_WHEEL_DOWN:
        move(self, known, 3);
        break;
    case UI_PAGE_UP:
        move(self, known, -self->page);
        break;
    case UI_PAGE_DOWN:
        move(self, known, self->page);
        break;
    case UI_HOME:
    case 'a':
        choose(self, known, -1);
        break;
    case UI_END:
        choose(self, known, known->count > 0 ? (int64_t)known->count - 1 : -1);
        break;
    case 'p':
        return (command){.kind = COMMAND_SLEEP, .all = true};
    case 'r':
        return (command){.kind = COMMAND_WAKE, .all = true};
    case 'z':
        return to_chosen(self, known, COMMAND_SLEEP, now_us);
    case 'w':
        return to_chosen(self, known, COMMAND_WAKE, now_us);
    case 's':
        return to_chosen(self, known, COMMAND_SKIP, now_us);
    case 'k':
        return to_chosen(self, known, COMMAND_KILL, now_us);
    case 't':
        return confirm(self, (command){.kind = COMMAND_QUIT});
    case '/':
        search_open(&self->search);
        break;
    case 'n':
    case 'N':
        jump(self, known, key, now_us);
        break;
    case 'h':
    case '?':
        self->dialog = DIALOG_HELP;
        self->help_top = 0;
        break;
    case 'q':
    case 'Q':
        self->quit = true;
        break;
    default:
        break;
    }
    return nothing;
}

command ui_click(ui *self, model *known, const canvas *screen, int row, int column, int64_t now_us)
{
    const canvas_zone *zone = canvas_at(screen, row, column);
    self->search.open = false;
    if (zone != NULL && zone->action == ZONE_KEY)
        return ui_key(self, known, (int)zone->arg, now_us);
    if (self->dialog != DIALOG_NONE)
        return dialog_key(self, UI_ESCAPE);
    if (zone != NULL && zone->action == ZONE_ALL)
        choose(self, known, -1);
    else if (zone != NULL && model_find(known, zone->arg) != NULL)
        choose(self, known, (int64_t)model_place(known, model_find(known, zone->arg)));
    return nothing;
}
