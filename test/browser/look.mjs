/* look.mjs — what a person with a browser finds of a site: started by test_browser.py with a file of JSON, prints results as tests do
 * (docs/testing.md).
 *
 *   base, name       the server's address, and what results are called after
 *   chromium, axe    the program; the source of axe-core
 *   pages            {name: path}, each looked at in both schemes and three widths
 *   looks            whether their looks count, too: pictures, accessibility
 *   search           not to look at pages alone: {known, prefix, log, typos: [[typed, meant], …]}
 *   shots            folder of the pictures
 *   bounds           {ms, bytes, again} */
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const task = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const { chromium } = createRequire(path.join(task.modules, "/"))("playwright-core");
const WAIT = 60000; /* for anything that must come: only what hangs reaches it */
const WIDTHS = [360, 768, 1440], SCHEMES = ["light", "dark"];
const axe = fs.readFileSync(task.axe, "utf8");

let failures = 0;
function check(name, good, why = "") {
    if (!good) failures++;
    console.log(good ? `ok ${task.name}: ${name}` : `not ok ${task.name}: ${name} - ${String(why).replace(/\s+/g, " ").slice(0, 600)}`);
}

/* A page in a context of its own. What it asks for and complains of is gathered. */
async function open(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    const seen = { complaints: [], outside: [], bytes: 0 };
    page.setDefaultTimeout(WAIT);
    page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") seen.complaints.push(message.text());
    });
    page.on("pageerror", (error) => seen.complaints.push(String(error)));
    page.on("request", (request) => {
        if (!request.url().startsWith(task.base) && !request.url().startsWith("data:")) seen.outside.push(request.url());
    });
    const line = await context.newCDPSession(page);
    await line.send("Network.enable");
    line.on("Network.loadingFinished", (event) => { seen.bytes += event.encodedDataLength; });
    return { context, page, seen };
}

/* Whatever axe-core finds by WCAG 2.2 and its own advice, but for what it calls minor. It can't tell colours on a gradient, such as the
 * shadows at a table's edges. */
async function audit(page) {
    await page.addStyleTag({ content: ".scroll { background: var(--card) !important }" });
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"],
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    return found.violations.filter((violation) => violation.impact !== "minor")
        .map((violation) => `${violation.impact} ${violation.id}: ${violation.nodes[0].html} ${violation.nodes[0].failureSummary}`);
}

/* Words, in the middle of which a line ends though they are short. An option is none without its hyphens. Of what can't be broken
 * elsewhere, and isn't short, anything may become. */
function broken() {
    const found = new Set(), range = document.createRange();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let looked = 0; texts.nextNode() && looked < 5000;) {
        for (const match of texts.currentNode.data.matchAll(/(?<!\S)--?[a-z]\w*|[^\s,-]+/g)) {
            looked++;
            if (match[0].length > 12) continue;
            range.setStart(texts.currentNode, match.index);
            range.setEnd(texts.currentNode, match.index + match[0].length);
            if (new Set([...range.getClientRects()].map((part) => Math.round(part.top))).size > 1) found.add(match[0]);
        }
    }
    return [...found];
}

/* Every server sends the same pages (test_browser.py compares them): how they look is looked at once. */
async function lookAt(browser, name, where) {
    const wide = [], torn = [], barriers = [], complaints = [], outside = [];
    for (const scheme of SCHEMES) {
        for (const width of task.looks ? WIDTHS : [WIDTHS[0], WIDTHS.at(-1)]) {
            const { context, page, seen } = await open(browser, { colorScheme: scheme, viewport: { width, height: 900 } });
            const answer = await page.goto(task.base + where, { waitUntil: "load" });
            if (answer.status() !== (name === "404" ? 404 : 200)) complaints.push(`${where}: ${answer.status()}`);
            const across = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            if (across > 0) wide.push(`${across} pixels at ${width}`);
            for (const word of await page.evaluate(broken)) torn.push(`${word} at ${width}`);
            if (task.looks) {
                await page.screenshot({ path: path.join(task.shots, `${name}-${scheme}-${width}.png`), fullPage: name !== "log" });
                /* Last, for it changes the page. */
                for (const wrong of await audit(page)) barriers.push(`${scheme} ${width} ${wrong}`);
            }
            complaints.push(...seen.complaints.filter((text) => name !== "404" || !text.includes("404")));
            outside.push(...seen.outside);
            await context.close();
        }
    }
    check(`${name}: nothing is wider than the window`, wide.length === 0, wide);
    check(`${name}: no short word is broken`, torn.length === 0, torn);
    if (task.looks) check(`${name}: no violation of accessibility`, barriers.length === 0, barriers);
    check(`${name}: the console is silent`, complaints.length === 0, complaints);
    check(`${name}: no request leaves the site`, outside.length === 0, outside);
}

/* Tab until the element is reached that the function finds; false: it isn't. */
async function tabTo(page, found, limit = 200) {
    for (let i = 0; i < limit; i++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(found)) return true;
    }
    return false;
}

async function byKeyboard(browser) {
    const { context, page, seen } = await open(browser);
    await page.goto(`${task.base}/`);
    check("keyboard: the first key leads to the content", await tabTo(page, () => document.activeElement.className === "to-main", 1));
    check("keyboard: the search is reached", await tabTo(page, () => document.activeElement.id === "q", 20));
    await page.keyboard.type(task.search.prefix);
    await page.waitForFunction((name) => [...document.querySelectorAll("#hits [role=option]")].some((a) => a.textContent.startsWith(name)),
        task.search.known);
    await page.keyboard.press("ArrowDown");
    const chosen = await page.evaluate(() => document.querySelector("#hits [aria-selected=true]")?.id === document.getElementById("q").getAttribute("aria-activedescendant"));
    check("keyboard: an arrow chooses a name, and a screen reader hears which", chosen);
    const wrong = await audit(page);
    check("keyboard: the open list has no violation of accessibility", wrong.length === 0, wrong);
    await page.screenshot({ path: path.join(task.shots, `search-${task.name}.png`) });
    const place = await page.evaluate((name) => [...document.querySelectorAll("#hits [role=option]")].findIndex((a) => a.textContent === name), task.search.known);
    for (let i = 0; i < place; i++) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/project/${task.search.known}/`);
    check("keyboard: Enter leads to the project", true);
    check("keyboard: a log is reached", await tabTo(page, () => /\/logs\/.*\.html$/.test(document.activeElement.href ?? "") && document.activeElement.textContent === "failed"));
    await page.keyboard.press("Enter");
    await page.waitForURL("**/logs/**.html");
    const error = await page.textContent("ol.found .err code");
    check("keyboard: the error stands first on the log's page", error.includes(task.search.error), error);
    check("keyboard: a line is reached", await tabTo(page, () => /#L\d+$/.test(document.activeElement.href ?? ""), 20));
    await page.keyboard.press("Enter");
    const marked = await page.evaluate(() => document.querySelector(":target")?.id === location.hash.slice(1));
    check("keyboard: the line is linked to", marked);
    check("keyboard: the console is silent", seen.complaints.length === 0, seen.complaints);
    await context.close();
}

/* A list that stayed open would lie over what is read next. */
async function leaving(browser) {
    const { context, page } = await open(browser);
    const shown = () => !document.getElementById("hits").hidden && document.getElementById("q").getAttribute("aria-expanded") === "true";
    const closed = () => document.getElementById("hits").hidden && document.getElementById("q").getAttribute("aria-expanded") === "false";
    await page.goto(`${task.base}/`);
    await page.focus("#q");
    await page.keyboard.type(task.search.prefix);
    await page.waitForFunction(shown);
    await page.keyboard.press("Tab");
    check("leaving: the list stays for the form's button", await page.evaluate(shown));
    await page.keyboard.press("Tab");
    check("leaving: it is closed behind the form", await page.evaluate(closed));
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.waitForFunction(shown);
    check("leaving: it is back with who comes back", true);
    await page.click("h2 >> nth=-1");
    check("leaving: a click elsewhere closes it", await page.evaluate(closed));
    await page.focus("#q");
    await page.click(`#hits a[href$="/${task.search.known}/"]`);
    await page.waitForURL(`**/project/${task.search.known}/`);
    check("leaving: a click on a name leads there", true);
    await context.close();
}

async function lost(browser) {
    const { context, page } = await open(browser);
    await page.goto(`${task.base}/project/${task.search.known}x/`);
    await page.waitForFunction(option, task.search.known);
    check("404: it offers names that are nearly the one that isn't there", await page.inputValue("#q") === `${task.search.known}x`);
    await page.click("h1");
    await page.click("form.search button");
    await page.waitForURL(`**/project/${task.search.known}/`);
    check("404: its button leads to the first of them, also for who has looked elsewhere", true);
    await page.goto(`${task.base}/nothing/here`);
    check("404: else it guesses nothing", await page.inputValue("#q") === "");
    await context.close();
}

/* Everything that the keyboard reaches shows that it has been reached. */
async function rings(browser) {
    const { context, page } = await open(browser);
    const without = [];
    for (const where of ["/", `/project/${task.search.known}/`, "/stats.html", task.pages.log]) {
        await page.goto(task.base + where);
        for (let i = 0; i < 40; i++) {
            await page.keyboard.press("Tab");
            const bare = await page.evaluate(() => {
                const style = getComputedStyle(document.activeElement);
                const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                return document.activeElement === document.body || seen ? "" : document.activeElement.outerHTML.slice(0, 80);
            });
            if (bare) without.push(`${where}: ${bare}`);
        }
    }
    check("keyboard: what has the focus has a ring", without.length === 0, without);
    await context.close();
}

/* On paper: black on white whatever the scheme, nothing cut at an edge, no navigation. */
async function onPaper(browser) {
    const { context, page } = await open(browser, { colorScheme: "dark", viewport: { width: 720, height: 1000 } });
    const wrong = [];
    for (const where of ["/", task.pages.project, task.pages.log, "/stats.html"]) {
        await page.goto(task.base + where);
        /* Not before: with a second session of its protocol (open), Chromium forgets it in the new page. */
        await page.emulateMedia({ media: "print" });
        const found = await page.evaluate(() => [
            document.documentElement.scrollWidth > window.innerWidth && "too wide", getComputedStyle(document.body).backgroundColor,
            [...document.querySelectorAll(".top nav, .search, .bottom")].some((part) => part.offsetParent !== null) && "has what only a screen needs"]);
        if (found[0] || found[1] !== "rgb(255, 255, 255)" || found[2]) wrong.push(`${where}: ${found}`);
    }
    check("on paper: it is as wide as the page, on white", wrong.length === 0, wrong);
    await context.close();
}

async function charts(browser) {
    const { context, page } = await open(browser);
    for (const [where, least] of [["/", 2], ["/stats.html", 3]]) {
        await page.goto(task.base + where);
        const drawn = await page.evaluate(() => [...document.querySelectorAll("svg.days")].filter((svg) =>
            svg.getBoundingClientRect().height > 100 && svg.getAttribute("aria-label") !== "" &&
            [...svg.querySelectorAll("rect[class]")].some((bar) => bar.getBoundingClientRect().height > 1)).length);
        check(`charts of ${where} are drawn`, drawn >= least, `${drawn} of ${least}`);
    }
    const rows = await page.evaluate(() => document.querySelectorAll(".rows rect").length);
    check("charts: queue, downloads by kind, disk", rows > 5, rows);
    await context.close();
}

async function withoutScript(browser) {
    const { context, page } = await open(browser, { javaScriptEnabled: false });
    await page.goto(`${task.base}/packages.html`);
    check("without JavaScript: it says what to do instead", await page.isVisible("noscript .hint"));
    await page.click("text=index >> nth=0");
    check("without JavaScript: the index is reached", page.url().endsWith("/simple/"), page.url());
    await context.close();
}

const option = (name) => [...document.querySelectorAll("#hits [role=option] span:first-child")].some((span) => span.textContent === name);

async function cost(browser) {
    const { context, page, seen } = await open(browser);
    await page.goto(`${task.base}/packages.html`);
    /* What a page with a search asks for by itself, while its reader looks for the field. */
    const loaded = (count) => performance.getEntriesByType("resource").filter((e) => e.name.includes("/search/")).length >= count;
    await page.waitForFunction(loaded, 2);
    /* From the key to the list that is shown, in the page's own clock. */
    await page.evaluate(() => {
        window.times = [];
        let pressed = 0;
        document.getElementById("q").addEventListener("keydown", () => { pressed = performance.now(); }, true);
        new MutationObserver(() => {
            if (pressed && document.querySelector("#hits [role=option]")) {
                window.times.push(performance.now() - pressed);
                pressed = 0;
            }
        }).observe(document.getElementById("hits"), { childList: true });
    });
    await page.focus("#q");
    /* A name that nobody downloads: none of those that come first. */
    await page.keyboard.type(task.search.rare[0]);
    await page.waitForFunction(() => window.times.length > 0);
    const first = seen.bytes, cold = (await page.evaluate(() => window.times))[0];
    await page.keyboard.type(task.search.rare.slice(1));
    await page.waitForFunction(option, task.search.rare);
    const found = seen.bytes;
    await page.waitForFunction(() => !document.querySelector("[data-hint]").textContent.includes("Looking"));
    await page.waitForFunction(loaded, task.search.files);
    await page.evaluate(() => { window.times = []; });
    for (const [typed] of task.search.typos.slice(0, 20)) {
        await page.fill("#q", "");
        for (const letter of typed) {
            const before = await page.evaluate(() => window.times.length);
            await page.keyboard.type(letter);
            await page.waitForFunction((count) => window.times.length > count || document.querySelector("#hits").hidden, before);
        }
    }
    const times = (await page.evaluate(() => window.times)).sort((a, b) => a - b);
    const middle = times[times.length >> 1], late = times[Math.floor(times.length * 0.95)], last = times.at(-1);
    console.log(`# ${task.name}: search over ${task.search.count} names: ${first} bytes (page, style and script too) before the first result, ` +
        `${found} before a rare name, ${seen.bytes} in all; the first key ${cold.toFixed(1)} ms; then ${times.length} keys, ` +
        `median ${middle.toFixed(1)} ms, 95 % ${late.toFixed(1)} ms, longest ${last.toFixed(1)} ms`);
    check(`search: the first result costs at most ${task.bounds.bytes} bytes`, found <= task.bounds.bytes && found > 0, found);
    check(`search: a result comes within ${task.bounds.ms} ms of a key`, late <= task.bounds.ms, `95 % ${late} ms, median ${middle}`);
    const before = seen.bytes;
    await page.reload();
    const again = seen.bytes;
    await page.focus("#q");
    await page.keyboard.type(task.search.rare);
    await page.waitForFunction(option, task.search.rare);
    console.log(`# ${task.name}: after a reload ${seen.bytes - again} bytes for the same search (the page itself: ${again - before})`);
    check("search: what was fetched once is kept", seen.bytes - again <= task.bounds.again, seen.bytes - again);
    await context.close();
}

async function typos(browser) {
    const { context, page } = await open(browser);
    const lost = [];
    await page.goto(`${task.base}/packages.html`);
    for (const [typed, meant] of task.search.typos) {
        await page.fill("#q", typed);
        try {
            await page.waitForFunction(option, meant, { timeout: 20000 });
        } catch {
            lost.push(`${typed} (${meant})`);
        }
    }
    check(`search: a wrong letter is forgiven (${task.search.typos.length} names)`, lost.length === 0, lost);
    await page.fill("#q", "zzzzzzzzqqqq");
    await page.waitForFunction(() => document.querySelector("[data-hint]").textContent === "No name is like that.");
    check("search: that nothing is found is said", true);
    await context.close();
}

const browser = await chromium.launch({ executablePath: task.chromium, args: ["--no-sandbox", "--disable-gpu"] });
try {
    for (const [name, where] of Object.entries(task.pages)) await lookAt(browser, name, where);
    for (const step of task.search ? [byKeyboard, leaving, lost, rings, onPaper, charts, withoutScript, cost, typos] : []) await step(browser);
} catch (error) {
    check("everything could be tried", false, error.stack);
} finally {
    await browser.close();
}
process.exit(failures > 0 ? 1 : 0);
