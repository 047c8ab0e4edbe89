"""Jobs side by side, as many as there is room for.

A job has `size` (how much of the room it takes; ALONE: all of it, after everything else), `needs` (jobs that must have ended
before), `start()` (begins; what it returns has `finish()`, which waits, and `stop()`) and `done()` (called in the main thread).
"""

import queue
import threading

ALONE = 0


class Pool:
    def __init__(self, room):
        self.room = room
        self.running = {}  # job: what runs
        self.unfinished = set()
        self.ended = queue.SimpleQueue()

    def size(self, job):
        return self.room if job.size == ALONE else min(job.size, self.room)

    def used(self):
        return sum(self.size(job) for job in self.running)

    def next(self, waiting):
        """The first job that nothing keeps from starting. One that is too large yet holds back those behind it."""
        for job in waiting:
            if job.needs & self.unfinished:
                continue
            if job.size == ALONE and self.room > 1 and any(other.size != ALONE for other in waiting):
                continue
            return job if self.used() + self.size(job) <= self.room else None
        return None

    def begin(self, job):
        run = job.start()
        self.running[job] = run

        def wait():
            run.finish()
            self.ended.put(job)

        threading.Thread(target=wait, daemon=True).start()

    def work(self, jobs):
        """All jobs; in this order as far as they can."""
        waiting = list(jobs)
        self.unfinished = set(jobs)
        try:
            while waiting or self.running:
                job = self.next(waiting)
                if job is not None:
                    waiting.remove(job)
                    self.begin(job)
                    continue
                job = self.ended.get()
                run = self.running.pop(job)
                self.unfinished.discard(job)
                job.done(run)
        finally:  # only when the runner is told to stop is anything left
            for run in self.running.values():
                run.stop()
            while self.running:
                self.running.pop(self.ended.get())
