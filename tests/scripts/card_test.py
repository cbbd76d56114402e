"""scripts/mesh/card.py and up.py --check: a machine without a card is told in one sentence, before anything starts."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts/mesh"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
import card  # noqa: E402


class CardTest(unittest.TestCase):
    def test_missing_driver_is_named_with_the_way_out(self):
        said = card.problem("libcuda-that-is-nowhere.so.1")
        self.assertIn("libcuda-that-is-nowhere.so.1", said)
        self.assertIn("--device=cpu", said)
        self.assertIn("make cuda", said)
        self.assertNotIn("\n", said)

    def test_library_that_is_no_driver_is_no_driver(self):
        self.assertIn("no NVIDIA driver", card.problem("libc.so.6"))

    def test_driver_speaks_for_itself(self):
        for code, says in ((0, None), (100, "finds no card"), (999, "error 999")):
            with tempfile.TemporaryDirectory() as folder:
                source, library = pathlib.Path(folder) / "driver.c", pathlib.Path(folder) / "libdriver.so"
                source.write_text(f"int cuInit(unsigned flags) {{ return flags == 0 ? {code} : 1; }}")
                subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
                said = card.problem(str(library))
            if says is None:
                self.assertIsNone(said)
            else:
                self.assertIn(says, said)

    def test_check_asks_for_a_card_only_where_one_is_meant(self):
        def check(*flags):
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([sys.executable, SCRIPTS / "up.py", "--check", f"--run-dir={folder}/run", *flags],
                                      capture_output=True, text=True)
                self.assertFalse((pathlib.Path(folder) / "run").exists(), "a check leaves nothing behind")
            return done

        self.assertEqual(check().returncode, 0)
        self.assertEqual(check("--device=cuda", "--device=cpu").returncode, 0)
        self.assertEqual(check("--device=cuda", "--engine=echo").returncode, 0)
        done = check("--device=cuda")
        self.assertEqual(done.returncode, 0 if card.problem() is None else 1, done.stderr)
        if done.returncode != 0:
            self.assertEqual(done.stderr.strip(), f"up: {card.problem()}")


if __name__ == "__main__":
    unittest.main()
