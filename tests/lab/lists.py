#!/usr/bin/env python3
"""Lists of addresses: from files and from the web, through everything that can go wrong on the way.

    SERENO_BIN=/path/to/sereno lists.py [-v]          (root; tests/lab/setup doors has run)
"""

import http.server
import json
import shutil
import subprocess
import threading
import unittest

import fixture
import guard
import house
import mmdb
import net
from house import CLIENT, SERVER, STRANGER, V4, V6

SOON = 5.0


class Web:
    """A web server in the stranger's namespace that says what it is told to; text None is an error."""

    def __init__(self, lab):
        self.text, self.asked, self.seconds = "", 0, 0.0
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.asked += 1
                if web.text is None:
                    self.send_error(500)
                    return
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/list")
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(web.text.encode())

            def log_message(self, *_):
                pass

        address = (net.server_address(STRANGER, V4), 8000)
        self.server = net.in_namespace(lab.name(STRANGER), lambda: http.server.ThreadingHTTPServer(address, Handler))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://{address[0]}:{address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Lists(house.HouseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        missing = [tool for tool in ("curl", "mmdblookup") if not shutil.which(tool)]
        fixture.skip(f"missing {' '.join(missing)}: run tests/lab/setup doors" if missing else "")

    def setUp(self):
        super().setUp()
        self.web = Web(self.house.net)
        self.addCleanup(self.web.close)

    def listed(self, porter):
        return {one["name"]: one for one in json.loads(porter.order("lists", "show", "--json"))}

    def shut(self, *where, port=22):
        """Waits until these no longer get in: role, source or None."""
        for role, source in where:
            self.assert_shuts(role, port, source=source, seconds=SOON, family=net.family_of(source or "1"))

    def opens(self, *where, port=22):
        for role, source in where:
            self.assert_opens(role, port, source=source, seconds=SOON, family=net.family_of(source or "1"))

    def test_files(self):
        self.write("bad.txt", "# bad\n203.0.113.0/25\n2001:db8:bad::9\n203.0.113.200 ; once more\n10.20.30.9\n", mode=0o644)
        config = 'ignoreip = ["203.0.113.7"]\n[list.bad]\nfrom = ["@WORK@/bad.txt"]\n[list.web]\nfrom = ["@WORK@/web.txt"]\ncloses = "tcp/443"\n'
        self.write("web.txt", '["203.0.113.201"]', mode=0o644)
        porter = self.doors(config)
        self.shut((STRANGER, "203.0.113.9"), (STRANGER, "203.0.113.200"), (STRANGER, "2001:db8:bad::9"))
        # Friends win, and private addresses are nobody out there.
        self.opens((STRANGER, "203.0.113.7"), (STRANGER, "203.0.113.201"), (CLIENT, "10.20.30.9"), (STRANGER, "2001:db8:bad::8"))
        self.shut((STRANGER, "203.0.113.201"), port=443)
        found = self.listed(porter)
        self.assertEqual((found["bad"]["addresses"], found["bad"]["private"]), (128, 1))
        said = porter.ask("gate", "explain", "tcp", "203.0.113.9", "22")
        self.assertEqual((said.returncode, "in the list bad" in said.stdout), (1, True), said.stdout)
        self.assertEqual(porter.ask("gate", "explain", "tcp", "203.0.113.201", "22").returncode, 0)
        self.assertIn("in these lists: bad", porter.order("why", "203.0.113.200"))
        self.assertIn("203.0.113.201 is in web", porter.order("lists", "find", "203.0.113.201"))
        self.assertEqual(porter.ask("lists", "find", "203.0.113.7").returncode, 1)
        # A file that changes, one that is no list any more, one that is gone.
        self.write("bad.txt", "203.0.113.9\n", mode=0o644)
        porter.order("lists", "refresh", "bad")
        self.opens((STRANGER, "203.0.113.200"))
        self.shut((STRANGER, "203.0.113.9"))
        for text in ("<html>\nnothing\nhere\n", None):
            if text is None:
                fixture.os.remove(f"{self.work}/bad.txt")
            else:
                self.write("bad.txt", text, mode=0o644)
            porter.order("lists", "refresh", "bad")
            self.assertTrue(fixture.await_true(lambda: self.listed(porter)["bad"]["problems"], SOON))
            self.assert_shut(STRANGER, 22, source="203.0.113.9")
            self.assertIn("list bad", porter.ask("status").stdout)
        # A reload with another configuration.
        self.write("sereno.toml", '[list.other]\nfrom = ["@WORK@/web.txt"]\n')
        porter.order("reload")
        self.opens((STRANGER, "203.0.113.9"))
        self.shut((STRANGER, "203.0.113.201"))
        self.write("sereno.toml", "")
        porter.order("reload")
        self.opens((STRANGER, "203.0.113.201"))
        self.assertNotIn("sereno_lists", self.house.run(SERVER, "nft", "list", "tables"))

    def test_the_web(self):
        self.web.text = '{"cidr":"203.0.113.0/25"}\n{"cidr":"2001:db8:bad::/64"}\n{"type":"metadata"}\n'
        porter = self.doors(f'[list.bad]\nfrom = ["{self.web.url}/moved"]\nevery = "1h"\n')
        self.shut((STRANGER, "203.0.113.9"), (STRANGER, "2001:db8:bad::9"))
        self.assertEqual(self.web.asked, 2, "it followed")
        # The server fails, or says something else: the last good copy holds, over a restart too.
        for text in (None, "<html>not here any more</html>", ""):
            self.web.text, asked = text, self.web.asked
            porter.order("lists", "refresh")
            self.assertTrue(fixture.await_true(lambda: self.web.asked > asked and self.listed(porter)["bad"]["problems"], SOON))
            self.assert_shut(STRANGER, 22, source="203.0.113.9")
        porter.stop()
        self.house.run(SERVER, "nft", "flush", "ruleset")
        asked = self.web.asked
        porter.start()
        self.shut((STRANGER, "203.0.113.9"))
        self.assertEqual(self.web.asked, asked, "the copy is young")
        self.web.text = "203.0.113.200\n"
        porter.order("lists", "refresh")
        self.opens((STRANGER, "203.0.113.9"))
        self.shut((STRANGER, "203.0.113.200"))
        self.assertEqual(self.listed(porter)["bad"]["problems"], [])

    def test_beside_everything_else(self):
        """Bans, a policy and a door beside a list; who flushes; who is at work."""
        self.write("bad.txt", "203.0.113.0/24\n198.51.100.201\n2001:db8:100::201\n", mode=0o644)
        self.write("few.txt", "203.0.113.77\n", mode=0o644)
        door = '[door.ssh]\nports = "tcp/22"\nknock = [7311, 2904, 5127]\nclosed = false\n'
        porter = self.doors('[list.bad]\nfrom = ["@WORK@/few.txt"]\n[gate]\nrules = ["allow ssh, https"]\n' + door)
        porter.order("gate", "apply")
        porter.order("gate", "confirm")
        porter.order("ban", "203.0.113.5")
        self.shut((STRANGER, "203.0.113.77"), (STRANGER, "203.0.113.5"))
        with self.house.connect(STRANGER, 443) as at_work:
            self.write("few.txt", "203.0.113.77\n198.51.100.201\n2001:db8:100::201\n", mode=0o644)
            porter.order("lists", "refresh")
            self.shut((STRANGER, None), port=443)
            self.assertTrue(house.echoes(at_work), "what is under way goes on")
        # Who knocks is let in, listed or not.
        self.house.knock((7311, 2904, 5127), role=STRANGER)
        self.assert_opens(STRANGER, 22)
        self.assert_shut(STRANGER, 443)
        self.assertIn("let in by the door", porter.order("gate", "explain", "tcp", net.server_address(STRANGER, V4), "22"))
        # The guard listens to the kernel again: what others take away comes back at once, lists a little later.
        self.house.run(SERVER, "nft", "flush", "ruleset")
        self.assert_shuts(STRANGER, 22, source="203.0.113.5", seconds=2)
        self.assert_shuts(STRANGER, 443, seconds=25)
        porter.kill()
        self.assert_shut(STRANGER, 443)
        porter.start()
        self.assert_shut(STRANGER, 443)
        self.assertGreater(self.listed(porter)["bad"]["addresses"], 0)

    def test_countries(self):
        """Shut out by country, let in by system; the databases are read by another program too."""
        country = lambda code: {"country": {"iso_code": code, "geoname_id": 1}, "registered_country": {"iso_code": "AA"}}
        folder = self.write("country.mmdb", "", mode=0o644)
        mmdb.write(folder, "GeoLite2-Country", {
            "203.0.113.0/25": country("XX"), "203.0.113.128/25": country("YY"), "2001:db8:bad::/48": country("XX"),
            "198.51.100.0/24": {"registered_country": {"iso_code": "ZZ"}}, "10.0.0.0/8": country("XX")})  # fmt: skip
        mmdb.write(f"{self.work}/asn.mmdb", "GeoLite2-ASN", {"10.20.30.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "x"}})
        looked = subprocess.run(["mmdblookup", "--file", folder, "--ip", "203.0.113.200", "country", "iso_code"], capture_output=True, text=True, check=True)
        self.assertIn('"YY"', looked.stdout)
        porter = self.doors('[list.there]\nfrom = ["country:xx"]\ndatabase = "@WORK@/country.mmdb"\n'
                            '[list.house]\nfrom = ["as:64500"]\nopens = "tcp/22"\ndatabase = "@WORK@/asn.mmdb"\n'
                            '[list.both]\nfrom = ["country:ZZ", "as:1"]\ndatabase = "@WORK@/country.mmdb"\n')  # fmt: skip
        self.shut((STRANGER, "203.0.113.9"), (STRANGER, "2001:db8:bad::9"))
        # Private addresses are in no country.
        self.opens((STRANGER, "203.0.113.200"), (CLIENT, "10.20.30.9"))
        found = self.listed(porter)
        self.assertEqual((found["there"]["ranges"], found["house"]["addresses"]), (2, 256))
        self.assertIn("GeoLite2-ASN.mmdb", found["both"]["problems"][0])
        mmdb.write(folder, "GeoLite2-Country", {"203.0.113.128/25": country("XX")})
        porter.order("lists", "refresh", "there")
        self.shut((STRANGER, "203.0.113.200"))
        self.opens((STRANGER, "203.0.113.9"))
        # One that is damaged changes nothing.
        with open(folder, "r+b") as out:
            out.write(b"\xff" * 64)
        porter.order("lists", "refresh", "there")
        self.assertTrue(fixture.await_true(lambda: self.listed(porter)["there"]["problems"], SOON))
        self.assert_shut(STRANGER, 22, source="203.0.113.200")

    def test_who_is_let_in(self):
        """An office with a name: in through the policy, another firewall and its own mistakes; and out when it moves."""
        office, moved = "203.0.113.40", "203.0.113.41"
        hosts = self.write("hosts", f"{office} office.example.org\n", mode=0o644)
        self.write("lan.txt", "10.20.30.0/24\n2001:db8:900d::/64\n", mode=0o644)
        self.write("sereno.toml", '[list.office]\nfrom = "office.example.org"\nopens = "tcp/22"\nfriends = true\n'
                   '[list.lan]\nfrom = "@WORK@/lan.txt"\nopens = "all"\n[gate]\nrules = ["allow https"]\n')  # fmt: skip
        self.house.run(SERVER, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
        porter = house.Porter(self.house, self.work, "--config", f"{self.work}/sereno.toml")
        porter.prefix = ("unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "-")
        self.addCleanup(porter.stop)
        porter.start()
        porter.order("gate", "apply")
        porter.order("gate", "confirm")
        self.opens((STRANGER, office), (CLIENT, "10.20.30.9"), (CLIENT, "2001:db8:900d::9"))
        self.opens((CLIENT, "10.20.30.9"), (STRANGER, None), port=443)
        self.assert_shut(STRANGER, 22, source=moved)
        self.assert_shut(STRANGER, 8088, source=office)
        self.assertIn("let in by the list office", porter.order("gate", "explain", "tcp", office, "22"))
        said = porter.ask("ban", office)
        self.assertNotEqual(said.returncode, 0, "he is a friend")
        with open(hosts, "w", encoding="ascii") as out:
            out.write(f"{moved} office.example.org\n")
        porter.order("lists", "refresh", "office")
        self.opens((STRANGER, moved))
        self.shut((STRANGER, office))
        porter.order("ban", office)
        # Nobody answers for the name any more: whoever had it last is still in.
        with open(hosts, "w", encoding="ascii") as out:
            out.write("")
        porter.order("lists", "refresh", "office")
        self.assertTrue(fixture.await_true(lambda: self.listed(porter)["office"]["problems"], 30))
        self.assert_opens(STRANGER, 22, source=moved)
        porter.kill()
        self.assert_opens(STRANGER, 22, source=moved)


if __name__ == "__main__":
    unittest.main()
