#!/bin/sh
# The JavaScript reader rss-parser takes an Atom feed's own address for that of its site, if the link to the site has no "rel".
#
# Expected: a link without rel is one to what the feed is of: "If the rel attribute is not present, the link element MUST be interpreted
# as if the link relation type is alternate" (RFC 4287, 4.2.7.2), wherever among the links it stands.
# Seen: it looks for rel="alternate" by its letters, and takes the first link of all where there is none: behind the link to the
# feed itself, or to a log ("related"), the one that was meant is never looked at. Order or the word at each link helps.
parser=3.13.0 xml2js=0.5.0 sax=1.4.1 xmlbuilder=11.0.1 entities=2.2.0

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
echo '{"private": true}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund "rss-parser@$parser" "xml2js@$xml2js" "sax@$sax" "xmlbuilder@$xmlbuilder" \
    "entities@$entities" >/dev/null 2>&1 || { echo "the packages can't be downloaded"; exit 2; }
cat >read.js <<'END'
const Parser = require("rss-parser");
const self = '<link rel="self" href="http://farm.test/new.atom"/>', log = '<link rel="related" href="http://farm.test/log.txt"/>';
const site = '<link href="http://farm.test/"/>', page = '<link href="http://farm.test/demo/"/>';
const word = link => link.replace("<link", '<link rel="alternate"');
const feed = (head, entry) => `<feed xmlns="http://www.w3.org/2005/Atom"><title>new</title><id>http://farm.test/new.atom</id>
<updated>2024-01-01T00:00:00Z</updated><author><name>farm</name></author>${head}
<entry><title>demo</title><id>http://farm.test/demo/#1</id><updated>2024-01-01T00:00:00Z</updated>${entry}<summary>built</summary></entry></feed>`;
(async () => {
    for (const [name, head, entry] of [["without rel, last", self + site, log + page], ["without rel, first", site + self, page + log],
                                       ["rel=alternate, last", self + word(site), log + word(page)]]) {
        const read = await new Parser().parseString(feed(head, entry));
        console.log(`${name}: ${read.link} ${read.items[0].link}`);
    }
})();
END
seen=$(node read.js) || { echo "it can't be tried"; exit 2; }
echo "rss-parser $parser"
echo "expected: http://farm.test/ http://farm.test/demo/, in all"
echo "seen:"
echo "$seen"
[ "$seen" = "without rel, last: http://farm.test/new.atom http://farm.test/log.txt
without rel, first: http://farm.test/ http://farm.test/demo/
rel=alternate, last: http://farm.test/ http://farm.test/demo/" ]
