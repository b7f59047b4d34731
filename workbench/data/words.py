"""What names, rooms and messages are made of. A word that is added changes what all seeds make."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words("""
    Ada Alan Barbara Bjarne Claude Donald Edsger Frances Grace Guido Hedy Ivan Jean John Karen Katherine Ken Leslie
    Linus Margaret Maurice Niklaus Radia Robin Sophie Tim Tony Vint Whitfield Yukihiro
""")
LAST = _words("""
    Allen Berners Cerf Conway Diffie Dijkstra Goldberg Hamilton Hoare Hopper Johnson Keller Kernighan Knuth Lamarr
    Lamport Liskov Lovelace McCarthy Milner Perlman Ritchie Rossum Shannon Stroustrup Sutherland Turing Wilkes Wirth
    Wilson
""")
ADJECTIVES = _words("""
    amber bright calm distant early gentle hidden loud narrow old quiet silver tall warm wide
""")
PLACES = _words("""
    attic bridge cellar garden hall harbour kitchen library lobby market office orchard roof studio
""")
WORDS = _words("""
    the a and or but so then when if where it they we who nobody somebody always never often again later now soon
    morning evening week deploy build queue cache index table row key lock token clock node leader replica message
    answer question error retry timeout window log metric graph budget release branch review test fixed broke found
    lost kept moved wrote read sent saw asked heard slow fast green red quiet empty full late early again
""")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Mobile Safari/537.36",
    "curl/8.9.1",
    "python-httpx/0.28.1",
)
