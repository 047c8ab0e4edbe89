/* search.js — search over the names of all packages while one types (actors/shared/scribe/search_index.h).
 *
 * What is typed is compared with the most downloaded names first, which come in one small file, then with the piece of all names
 * in which it would be. The other pieces follow in the background, so that a wrong letter is forgiven wherever it is. */
"use strict";

(() => {
    const form = document.querySelector("form[data-search]");
    if (!form) return;
    const root = form.dataset.search;
    const input = form.querySelector("input");
    const list = form.querySelector(".hits");
    const hint = form.querySelector("[data-hint]");
    const SHOWN = 12;
    if (!window.DecompressionStream) {
        hint.textContent = "This browser can't search as you type. Package index, below, has all names.";
        return;
    }

    /* --- The names --- */

    let index = null;         /* search/index.json */
    let popular = null;       /* names with ranks */
    const pieces = [];        /* by their number; undefined: not there yet */
    const asked = new Map();  /* file -> promise */
    const rankOf = new Map();

    async function unpack(response) {
        const stream = response.body.pipeThrough(new DecompressionStream("gzip"));
        return new Uint8Array(await new Response(stream).arrayBuffer());
    }

    /* Names of a piece, in the order of their bytes. */
    function read(bytes, ranks) {
        const names = [];
        /* A character a byte: one text that all names are cut from is much faster than a text for each. */
        const text = new TextDecoder("latin1").decode(bytes);
        for (let at = 0, name = ""; at < bytes.length; at++) {
            const shared = bytes[at++], from = at;
            while (bytes[at] < 0x80) at++;
            name = name.slice(0, shared) + text.slice(from, at);
            if (ranks) rankOf.set(name, bytes[at] & 0x7f);
            names.push(name);
        }
        return names;
    }

    function fetchPiece(file, ranks) {
        if (!asked.has(file)) {
            const coming = fetch(`${root}search/${file}`, { cache: "force-cache" })
                .then((response) => {
                    if (!response.ok) throw new Error(`${file}: ${response.status}`);
                    return unpack(response);
                })
                .then((bytes) => read(bytes, ranks));
            coming.catch(() => asked.delete(file));
            asked.set(file, coming);
        }
        return asked.get(file);
    }

    let starting = null;
    function first() {
        starting ??= fetch(`${root}search/index.json`, { cache: "no-cache" })
            .then((response) => {
                if (!response.ok) throw new Error(`${response.status}`);
                return response.json();
            })
            .then(async (found) => {
                index = found;
                popular = await fetchPiece(index.popular, true);
                show();
            })
            .catch(() => {
                starting = null;
                hint.textContent = "The list of names can't be read just now.";
            });
        return starting;
    }

    async function start() {
        await first();
        if (index && popular) fetchRest();
    }

    async function load(number) {
        if (pieces[number] === undefined) pieces[number] = await fetchPiece(index.pieces[number][1], false);
    }

    /* The number of the piece in which a name would be. */
    function pieceOf(name) {
        let low = 0, high = index.pieces.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (index.pieces[middle][0] <= name) low = middle; else high = middle - 1;
        }
        return low;
    }

    let fetching = false;
    async function fetchRest() {
        if (fetching) return;
        fetching = true;
        try {
            for (let number = 0; number < index.pieces.length; number++) {
                if (pieces[number] !== undefined) continue;
                await load(number);
                if (number % 8 === 0) showLater();
            }
            showLater();
        } catch {
            fetching = false;
        }
    }

    /* --- Finding --- */

    /* As PyPI compares names. */
    const canonical = (text) => text.trim().toLowerCase().replace(/[-_.\s]+/g, "-").replace(/[^a-z0-9-]/g, "").slice(0, 100);

    /* The first place in names[from…to) whose name is not less. */
    function lower(names, text, from, to) {
        while (from < to) {
            const middle = (from + to) >> 1;
            if (names[middle] < text) from = middle + 1; else to = middle;
        }
        return from;
    }

    const END = "\x7f"; /* after every letter of a name */

    /* Names in one sorted list that begin with the text, or with one that differs in one letter: another, one more, one less, or
     * two exchanged. `take` gets name and distance, and says whether it wants more. */
    function prefixes(names, text, distance, take) {
        const from = lower(names, text, 0, names.length), to = lower(names, text + END, from, names.length);
        for (let i = from; i < to; i++) if (!take(names[i], distance)) return;
    }

    function nearly(names, text, take) {
        for (let i = 0; i < text.length; i++) {
            const before = text.slice(0, i);
            let from = lower(names, before, 0, names.length);
            const to = lower(names, before + END, from, names.length);
            if (from === to) break;
            prefixes(names, before + text.slice(i + 1), 1, take);
            if (i + 1 < text.length) prefixes(names, before + text[i + 1] + text[i] + text.slice(i + 2), 1, take);
            /* Each letter that any name has here. */
            while (from < to) {
                const letter = names[from].length > i ? names[from][i] : "";
                const next = letter === "" ? from + 1 : lower(names, before + letter + END, from, to);
                if (letter !== "" && letter !== text[i]) {
                    prefixes(names, before + letter + text.slice(i + 1), 1, take);
                    prefixes(names, before + letter + text.slice(i), 1, take);
                }
                from = next;
            }
        }
    }

    /* The best first: exact, much downloaded, short. */
    function better(a, b) {
        return a.distance - b.distance || b.rank - a.rank || a.name.length - b.name.length || (a.name < b.name ? -1 : 1);
    }

    function find(text) {
        const found = new Map();
        const collect = (limit) => {
            let count = 0;
            return (name, distance) => {
                const old = found.get(name);
                const d = name === text ? -1 : distance;
                if (old === undefined) found.set(name, { name, distance: d, rank: rankOf.get(name) ?? 0 });
                else if (d < old.distance) old.distance = d;
                return ++count < limit;
            };
        };
        const lists = popular ? [popular] : [];
        for (const piece of pieces) if (piece !== undefined) lists.push(piece);
        const exact = collect(4000);
        for (const names of lists) prefixes(names, text, 0, exact);
        if (text.length >= 3) {
            for (const names of lists) nearly(names, text, collect(400));
            if (popular && found.size < SHOWN) {
                const inside = collect(200);
                for (const name of popular) if (name.includes(text) && !inside(name, 2)) break;
            }
        }
        return [...found.values()].sort(better).slice(0, SHOWN);
    }

    /* --- Showing --- */

    let current = -1;
    let shownFor = null;
    let away = false; /* the reader has left the form: nothing opens over what is looked at now */

    function close() {
        list.hidden = true;
        input.setAttribute("aria-expanded", "false");
        input.removeAttribute("aria-activedescendant");
        current = -1;
    }

    function leave() {
        away = true;
        close();
    }

    function choose(number) {
        const items = list.children;
        if (current >= 0 && items[current]) items[current].removeAttribute("aria-selected");
        current = items.length === 0 ? -1 : (number + items.length) % items.length;
        if (current >= 0) {
            items[current].setAttribute("aria-selected", "true");
            input.setAttribute("aria-activedescendant", items[current].id);
        } else {
            input.removeAttribute("aria-activedescendant");
        }
    }

    function row(hit, text, number) {
        const link = document.createElement("a");
        link.id = `hit${number}`;
        link.setAttribute("role", "option");
        link.href = `${root}project/${hit.name}/`;
        link.tabIndex = -1;
        const name = document.createElement("span");
        const at = hit.distance <= 0 ? 0 : hit.name.indexOf(text);
        if (at >= 0) {
            const mark = document.createElement("mark");
            mark.textContent = hit.name.slice(at, at + text.length);
            name.append(hit.name.slice(0, at), mark, hit.name.slice(at + text.length));
        } else {
            name.textContent = hit.name;
        }
        link.append(name);
        if (hit.distance === 1) {
            const near = document.createElement("span");
            near.className = "near";
            near.textContent = "nearly";
            link.append(near);
        }
        return link;
    }

    function show() {
        const text = canonical(input.value);
        if (text === "" || !popular || away) {
            close();
            list.replaceChildren();
            if (!away) hint.textContent = "";
            return;
        }
        const kept = shownFor === text && current >= 0 ? list.children[current]?.textContent : null;
        const hits = find(text);
        list.replaceChildren(...hits.map((hit, number) => row(hit, text, number)));
        list.hidden = hits.length === 0;
        input.setAttribute("aria-expanded", String(hits.length > 0));
        current = -1;
        shownFor = text;
        const again = kept === null ? -1 : [...list.children].findIndex((item) => item.textContent === kept);
        if (again >= 0) choose(again); else input.removeAttribute("aria-activedescendant");
        const all = pieces.filter((piece) => piece !== undefined).length === index.pieces.length;
        hint.textContent = hits.length > 0 ? `${hits.length === SHOWN ? "the best " : ""}${hits.length} of ${index.count.toLocaleString("en")} names`
            : all ? "No name is like that." : "Looking through all names …";
        performance.mark("piw-shown");
    }

    let waiting = 0;
    function showLater() {
        if (!waiting) waiting = requestAnimationFrame(() => {
            waiting = 0;
            if (canonical(input.value) !== "") show();
        });
    }

    async function typed() {
        show();
        await first();
        const text = canonical(input.value);
        if (!index || text === "" || index.pieces.length === 0) return;
        const number = pieceOf(text);
        if (pieces[number] === undefined) {
            try {
                await load(number);
                show();
            } catch {
                /* The rest comes in the background, and is tried again with the next letter. */
            }
        }
        fetchRest();
    }

    input.setAttribute("role", "combobox");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-autocomplete", "list");
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Packages");
    input.addEventListener("focus", () => {
        away = false;
        show();
        start();
    });
    input.addEventListener("input", typed);
    form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) leave(); });
    document.addEventListener("pointerdown", (event) => { if (!form.contains(event.target)) leave(); });
    /* Where a click takes the focus away without giving it to the link, the list would be gone before the click is. */
    list.addEventListener("mousedown", (event) => event.preventDefault());
    input.addEventListener("keydown", (event) => {
        if (event.key === "ArrowDown") choose(current + 1);
        else if (event.key === "ArrowUp") choose(current < 0 ? -1 : current - 1);
        else if (event.key === "Escape") { input.value = ""; show(); }
        else return;
        event.preventDefault();
    });
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        away = false;
        await typed();
        const item = list.children[current < 0 ? 0 : current];
        if (item) location.href = item.href;
    });

    const query = new URLSearchParams(location.search).get("q");
    if (query && location.pathname.endsWith("packages.html")) {
        input.value = query;
        typed();
    }
    /* What isn't there may be there by a name that is nearly the same. */
    const missing = document.querySelector("[data-missing]") && /\/(?:project|simple)\/([\w.-]+)/.exec(location.pathname);
    if (missing) {
        input.value = missing[1];
        typed();
    }
    if (document.activeElement === input) typed();
    /* Nearly everybody who opens these pages searches: what is needed first is there before the first letter. */
    if (document.body.querySelector("section.hero [data-search]")) (window.requestIdleCallback ?? setTimeout)(first);
})();
