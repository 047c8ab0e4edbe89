/* notes.c — keeps the notes that the last lines of the screen show. */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>

void model_say(model *self, model_level level, int64_t now_us, const char *fmt, ...)
{
    model_note *note = &self->notes[self->notes_next];
    va_list args;
    va_start(args, fmt);
    vsnprintf(note->text, sizeof(note->text), fmt, args);
    va_end(args);
    note->at_us = now_us;
    note->level = level;
    self->notes_next = (self->notes_next + 1) % MODEL_NOTES;
    if (self->notes_count < MODEL_NOTES)
        self->notes_count++;
}

const model_note *model_note_at(const model *self, unsigned i)
{
    return i < self->notes_count ? &self->notes[(self->notes_next + MODEL_NOTES - 1 - i) % MODEL_NOTES] : NULL;
}
