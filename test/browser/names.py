"""Names like those of PyPI's projects, as many as one wants, always the same ones."""

import random

WORDS = """
abc access account action adapter admin agent ai airflow alert algo analysis analytics android ansible api app apple arch archive
array async atlas audio auth auto aws azure backend backup base batch bayes bench bin bio bit block blog board book boost bot bridge
browser bucket build bundle cache calc calendar camera card cart cell chain chart chat check chem city class clean cli client clock
cloud cluster cms code collector color comm compiler compose config connect console container context control convert copy core
corpus counter crawler crypto csv cube curve dash dask data date db debug deep demo deploy desktop detect dev device dict diff
digital disk django dns docker docs dot download draw driver dump dynamic earth easy edge edit electron elastic email embed engine
env error event excel export express extract face factory fast feature feed field file filter finance find fire flask flow font
forecast form format forum frame free front full fund fuzzy game gate gen geo git glue go google gpu grab graph green grid group
guard gui hack handler hash health helper home hook host html http hub hydra icon image import index info input insight int io iot
ip job jpeg json jupyter k8s kafka kernel key kit know kube label lambda lang latex layer learn ledger lens level lib light line
link lint linux list live load local lock log loop machine mail make manager map mark market mask math matrix media memory menu
merge mesh message meta metric micro mind mini mobile mock model module monitor mongo motion movie mqtt multi music name nano net
network neural news next nlp node note notebook number object odoo office open opt orm os pack page paint pandas panel paper parse
pass patch path pay pdf peak phone photo pipe pixel plan play plot plugin point poll pool port post power pre print process profile
project prompt proto proxy pulse py pytest python qt quant query queue quick radar random rank rate raw react reader record redis
regex remote render repo report request resource rest result robot route rpc rule run rust safe sample scan scheduler schema science
score scraper screen script sdk search secret secure sensor serial server service session settings shape share sheet shell shop
signal simple site sketch slack smart snake snap social socket soft solar sound source space spark spec speech speed spider sql
stack stage star start stat status steam stock storage store stream string studio style sub suite summary sync system table tag task
team tech template tensor term test text theme thread tick time tiny token tool top torch trace track trade train transfer tree
trend trigger tube tune turbo type ui unit update upload url user util utils validator value vector version video view virtual
vision visual voice wallet watch water wave weather web widget wiki window wire word work world wrap write xml yaml zero zip zone
""".split()
PARTS = "an ar ba be bo ca ce co da de di do el en er fa fi ga go ha he hi in io ka ke ki ko la le li lo lu ma me mi mo mu na ne ni no or pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu ul un va ve vi vo wa xi ya yo za ze zo".split()


def one(random_source):
    kind = random_source.random()
    word = random_source.choice
    if kind < 0.30:
        return f"{word(WORDS)}-{word(WORDS)}"
    if kind < 0.50:
        return f"{word(WORDS)}-{word(WORDS)}-{word(WORDS)}"
    if kind < 0.62:
        return f"py{word(WORDS)}{word(WORDS)}"
    if kind < 0.75:
        return "".join(word(PARTS) for _ in range(random_source.randint(2, 4))) + word(("", "", "py", "lib", "2"))
    if kind < 0.90:
        return "".join(word(PARTS) for _ in range(random_source.randint(2, 3))) + "-" + word(WORDS)
    return f"{word(WORDS)}{word(WORDS)}{random_source.randint(0, 99) if kind > 0.97 else ''}"


def names(count, seed=13):
    source = random.Random(seed)
    found = set()
    while len(found) < count:
        name = one(source)
        found.add(name if name not in found else f"{name}-{''.join(source.choice(PARTS) for _ in range(2))}")
    return sorted(found)
