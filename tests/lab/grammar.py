#!/usr/bin/env python3
"""What configuration files mean: asked of real Asterisk 16 and 22, and of our reader.

    SERENO_BIN=/path/to/sereno grammar.py [-v]          (root; tests/lab/setup and cargo test --no-run have run)
"""

import json
import os
import random
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

import ami
import fixture
import guard
import net

READER = os.path.join(os.path.dirname(guard.BINARY), "examples", "effective")
# Who may read files. Its secret is for this network of a test only.
MANAGER = "\n[reader]\nsecret=Lab-Reader-Manager\nread=config\nwrite=config\n"
FILES = 800
# Written by hand: what chance hardly makes.
CASES = {
    "empty": b"",
    "mark": b"\xef\xbb\xbf[a]\nx=1\n",
    "mark-later": b"[a]\n\xef\xbb\xbfx=1\n",
    "latin": b"[a]\nx=Jos\xe9\n\xe9=1\n",
    "escaped-letter": b"[a]\n\\\xe9=1\n",
    "zero": b"[a]\nx=1\x00y\nz=2\n",
    "no-end-of-line": b"[a]\nx=1",
    "just-too-long": b"[a]\nx=" + b"v" * 8188 + b"\ny=1\nz=2\n",
    "just-not-too-long": b"[a]\nx=" + b"v" * 8187 + b"\ny=1\nz=2\n",
    "two-chunks": b"[a]\nx=" + b"v" * (8191 * 2 - 2) + b"\ny=1\nz=2\n",
    "far-too-long": b"[a]\nx=" + b"v" * 40000 + b"\ny=1\nz=2\n",
    "end-without-beginning": b"[a]\nx=1 --; y\nz=2\n;-- u\nv=3\n",
    "end-without-beginning-and-more": b"[a]\nx=1 --; y ;-- z --; u\nz=2 ; 3\n",
    "comment-in-a-name": b"[a]\nx;-- y --;z=1\n",
    "comments-in-comments": b"[a]\nx=1;-- a ;-- b --; c --;2\ny=3\n",
    "comment-over-lines": b"[a]\nx=1 ;-- a\ny=2\nb --; z=3\nu=4\n",
    "no-comment": b"[a]\nx=1 ;--- a\ny=2;-\nz=3;--\n",
    "escaped-semicolons": b"[a]\nx=1\\;2\\\\;3\ny=\\;\\;;z\nz=;--a\\;--;b\n",
    "sections": b"[]\nx=1\n[a]b\ny=1\n[ a ]\nz=1\n[a]]\nu=1\n[a[b]\nv=1\n",
    "options": b"[t](!)\nx=1\n[a]()\ny=1\n[b](,)\ny=1\n",
    "options-twice": b"[t](!)\nx=1\n[a](t,t)\ny=1\n[a](+,t)\nz=1\n[a](t,+)\nu=1\n",
    "template-continued": b"[t](!)\nx=1\n[t](+TEMPLATES=include)\ny=1\n[a](t)\nz=1\n",
    "template-restricted": b"[a]\nx=1\n[a](!)\nx=2\n[a](+TEMPLATES=restrict)\ny=1\n[b](a)\nz=1\n",
    "continued-as-template": b"[a]\nx=1\n[a](+,!)\ny=1\n[b](a)\nz=1\n",
    "continued-by-case": b"[a]\nx=1\n[A](+)\ny=1\n[b](A)\nz=1\n",
    "two-conditions": b"[a]\nx=1\ny=1\n[a]\nx=1\ny=2\n[a](+x=1&y=2)\nz=1\n[a](+ x = 1 & y = 1 )\nu=1\n",
    "conditions-that-are-expressions": b"[a]\nxx=11\n[a](+x=1)\nz=1\n[a](+^x=1$)\nu=1\n[a](+^xx$=.*)\nv=1\n",
    "no-condition": b"[a]\nx=1\n[a](+x)\ny=1\n",
    "appended-to-an-equal": b"[a]\nx=1\nx=1\nx+=2\nX=3\nX+=4\nx+= 5 \n",
    "appended-to-nothing": b"[a]\nx=\nx+=2\ny = \nX=1\ny+= 3\n+=1\n + = 2\nz +=>3\n",
    "escaped": b"[a]\n\\x=1\n\\\\=2\n\\+=3\n\\++=4\n\\;=5\n",
    "escaped-blank": b"[a]\n\\ x=1\n",
    "names": b"[a]\n=1\nx\nx==1\nx=>=1\nx= > 1\nx=>>1\n x y = z w\n",
    "before-any-section": b"x\n[a]\ny=1\n",
    "directives": b"[a]\n#\n#nothing here\n#include\n# include x\nx=1\n",
    "include-case": b"[a]\n#INCLUDE cfgtest/i1.conf\n#TryInclude cfgtest/nosuch.conf\n",
    "include-quotes": b"[a]\n#include 'cfgtest/i1.conf'\n",
    "include-half-quotes": b"[a]\n#include \"cfgtest/i1.conf\n",
    "include-itself": b"[a]\nx=1\n#include cfgtest/include-itself.conf\n",
    "include-itself-perhaps": b"[a]\nx=1\n#tryinclude cfgtest/include-itself-perhaps.conf\ny=1\n",
    "include-refused": b"[a]\nx=1\n#include cfgtest/i9.conf\ny=1\n",
    "include-refused-perhaps": b"[a]\nx=1\n#tryinclude cfgtest/i9.conf\ny=1\n",
    "include-many": b"[a]\nx=1\n#include cfgtest/i[123].conf\ny=1\n",
    "include-either": b"[a]\nx=1\n#include cfgtest/{i2,i1}.conf\ny=1\n",
    "include-none-of-many": b"[a]\nx=1\n#include cfgtest/nosuch*.conf\ny=1\n",
    "include-a-folder": b"[a]\nx=1\n#include cfgtest\ny=1\n",
    "include-goes-on": b"[a]\nx=1\n#include cfgtest/i1.conf\n#include cfgtest/i2.conf\nz=3\n",
}
INCLUDED = {
    "i1": b"one=1\n[b]\ntwo=2\n",
    "i2": b"three=3\n[a](+)\nfour=4\n",
    "i3": b"[t](!)\nfive=5\n",
    "i9": b"six=6\n[c\nseven=7\n",
}


def made_up(chance):
    """A file of what matters to the grammar, in any order."""
    name = lambda: chance.choice(("a", "b", "c", "t", "u", "A", " a", "general"))
    key = lambda: chance.choice(("x", "y", "X", "exten", "secret", "[x", "#x", "x y", "", "+", "\\[z"))
    value = lambda: chance.choice(("1", "2", "a;b", "a\\;b", '"q;r"', "=1", "> 2", "", " 3 ", "(a)", "[b]", "1,2", "--;", ";-- c --;d", "\t4\t"))
    option = lambda: chance.choice(("!", "+", "t", "u", "a", "b", " t", "T", "", "+x=1", "+x=2&y=1", "+TEMPLATES=include", "nosuch"))
    lines = ["[t](!)", "x=1", "[u](!,t)", "y=2", "[a]", "x=1", "[b](u)", "x=2"][: chance.randrange(9)]
    for _ in range(chance.randrange(1, 16)):
        kind = chance.randrange(20)
        if kind < 4:
            options = ",".join(option() for _ in range(chance.randrange(1, 3))) if chance.randrange(2) else None
            gap = chance.choice(("", "", "", "", " "))
            lines.append(f"[{name()}]" + (f"{gap}({options})" if options is not None else "") + chance.choice(("", "", " ; c", "x")))
        elif kind < 14:
            lines.append(chance.choice(("", "", " ", "\t")) + key() + chance.choice(("=", " = ", "=>", " => ", "+=", " += ", "= >")) + value())
        elif kind < 16:
            lines.append(chance.choice((";--", "--;", "; x=1", ";--- x", "x=1 ;-- y", "z --; y=1", ";;", "\\;x=1", ";--;", ";-- a --;")))
        elif kind < 18:
            what = chance.choice(("i1", "i2", "i3", "nosuch", "i9", "i*"))
            lines.append(chance.choice(("#include ", "#tryinclude ", '#include "', "#include <")) + f"cfgtest/{what}.conf" + chance.choice(("", '"', ">", " ; c")))
        else:
            lines.append(chance.choice(("", "   ", "\r", "[", "#exec /bin/true", "#what", "x", "[a](t", "x=1\x0b", "caf\xe9=1")))
    ends = chance.choice(("\n", "\n", "\r\n"))
    return (ends.join(lines) + ends * chance.randrange(2)).encode("latin-1")


class Reader:
    """A session with a manager that may read files."""

    def __init__(self, lab, role):
        self.sock = net.in_namespace(lab.net.name(role), lambda: ami.LocalSession("127.0.0.1", timeout=20.0)).sock
        self.rest = b""
        self.ask("Login", "Username: reader", "Secret: Lab-Reader-Manager")

    def ask(self, action, *fields):
        """The lines of the answer. Events are passed over."""
        self.sock.sendall("\r\n".join((f"Action: {action}", "ActionID: 7", *fields, "", "")).encode())
        while True:
            while b"\r\n\r\n" not in self.rest:
                more = self.sock.recv(1 << 20)
                if not more:
                    raise OSError("the manager hung up")
                self.rest += more
            packet, _, self.rest = self.rest.partition(b"\r\n\r\n")
            lines = packet.split(b"\r\n")
            if lines[0].startswith(b"Response: "):
                return lines

    def means(self, name):
        """What a file means: sections with the templates and the lines of each; None if it is refused."""
        lines = self.ask("GetConfig", f"Filename: cfgtest/{name}.conf")
        if lines[0] != b"Response: Success":
            return None
        sections = []
        for line in lines[1:]:
            head, _, rest = line.decode("latin-1").partition(": ")
            if head.startswith("Category-"):
                sections.append([rest, [], []])
            elif head.startswith("Templates-"):
                sections[-1][1] = rest.split(",")
            elif head.startswith("Line-"):
                sections[-1][2].append(rest)
        return sections


class Grammar(fixture.LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        fixture.skip("" if os.path.exists(READER) else f"missing {READER}: cargo test --no-run builds it")
        chance = random.Random(5)
        cls.files = {**CASES, **{f"made-up-{n}": made_up(chance) for n in range(FILES)}}
        cls.folder = f"{cls.lab.work}/etc"
        cls.write(cls.folder)
        with ThreadPoolExecutor(2) as pool:
            cls.ours = dict(zip(cls.files, pool.map(cls.means, cls.files)))
        # With a section that inherits from itself Asterisk does not come to an end.
        for name in [name for name, meaning in cls.ours.items() if meaning == "Itself"]:
            del cls.files[name]

    @classmethod
    def write(cls, folder):
        os.makedirs(f"{folder}/cfgtest")
        for name, text in {**cls.files, **INCLUDED}.items():
            with open(f"{folder}/cfgtest/{name}.conf", "wb") as out:
                out.write(text)

    @classmethod
    def means(cls, name):
        """As our reader says."""
        words = [READER, cls.folder, f"cfgtest/{name}.conf"]
        said = json.loads(subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout)
        if not said["whole"]:
            raise AssertionError(f"{name} is not written as it was read")
        if (said["why"] or "").startswith("Itself"):
            return "Itself"
        return None if said["why"] else [[one["name"], one["inherits"], one["lines"]] for one in said["sections"]]

    def agrees(self, role):
        self.lab.changed_server(role, {"manager.conf": MANAGER})
        self.write(f"{self.lab.work}/{role}/etc")
        reader = Reader(self.lab, role)
        self.addCleanup(reader.sock.close)
        theirs = {}
        for name, text in self.files.items():
            try:
                theirs[name] = reader.means(name)
            except TimeoutError:
                self.fail(f"Asterisk does not come to an end with {name}: {text}")
        refused = sum(one is None for one in theirs.values())
        # As much to see in those that are read as in those that are not.
        self.assertGreater(refused, 50)
        self.assertGreater(len(theirs) - refused, 200)
        for name, wanted in theirs.items():
            with self.subTest(name=name, text=self.files[name][:600]):
                self.assertEqual(self.ours[name], wanted)

    def test_as_asterisk_16(self):
        self.agrees("srv16")

    def test_as_asterisk_22(self):
        self.agrees("srv22")


if __name__ == "__main__":
    unittest.main()
