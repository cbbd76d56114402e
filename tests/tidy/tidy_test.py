#!/usr/bin/env python3
"""Style as a test: reads the sources and fails on a broken layering table, an oversized file or a banned habit.

Method: plain text. The table is docs/layering.txt; run it alone with: python3 tests/tidy/tidy_test.py
"""
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES_MAX = 500
COLUMNS_MAX = 120  # of C++, clang-format's own limit; a script or CMake file may have SCRIPT_COLUMNS_MAX
SCRIPT_COLUMNS_MAX = 130
SOURCES = (".h", ".cpp", ".cu", ".cuh", ".py", ".sh")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def tracked():
    listing = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, text=True, check=True)
    return [pathlib.Path(line) for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def read_table():
    allowed, third_party = {}, {}
    for line in (ROOT / "docs/layering.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("third-party"):
            _, prefix, *owners = line.split()
            third_party[prefix] = set(owners)
        elif line:
            library, _, names = line.partition(":")
            allowed[library] = set(names.split())
    return allowed, third_party


def library_of(path):
    """The name of the layering table for a file's path, or None for what the table does not govern (tests)."""
    parts = path.parts
    if parts[0] == "libs" and len(parts) > 2:
        return parts[1]
    if parts[0] in ("services", "loadtest", "kernels", "proto"):
        return parts[0]
    return None


class Tidy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tracked()
        cls.text = {path: (ROOT / path).read_text(errors="replace") for path in cls.files if path.suffix in SOURCES}
        cls.allowed, cls.third_party = read_table()

    def fail_with(self, problems):
        self.assertFalse(problems, "\n" + "\n".join(problems))

    def includes(self):
        for path, text in self.text.items():
            library = library_of(path)
            if library is not None and path.suffix in (".h", ".cpp", ".cu", ".cuh"):
                for kind, target in INCLUDE.findall(text):
                    yield path, library, kind, target

    def test_each_library_includes_only_what_stands_below_it(self):
        problems, seen = [], 0
        for path, library, kind, target in self.includes():
            other = library_of(pathlib.Path(target)) if kind == '"' else None
            if other is None or other == library and library != "services":
                continue
            seen += 1
            if library == "services" and other == "services":
                if pathlib.Path(target).parts[1] != path.parts[1]:
                    problems.append(f"{path}: includes another service's {target}")
            elif other not in self.allowed.get(library, set()):
                problems.append(f"{path}: {library} may not include {other} ({target}); see docs/layering.txt")
        self.assertGreater(seen, 50, "the check found almost no includes: it is broken")
        self.fail_with(problems)

    def test_each_third_party_header_is_seen_by_its_library_only(self):
        problems = []
        for path, library, kind, target in self.includes():
            for prefix, owners in self.third_party.items():
                if target.startswith(prefix) and library not in owners:
                    problems.append(f"{path}: <{target}> belongs to {', '.join(sorted(owners))}")
        self.fail_with(problems)

    def test_every_library_is_in_the_table(self):
        libraries = {path.parts[1] for path in self.files if path.parts[0] == "libs" and len(path.parts) > 2}
        self.assertEqual(libraries - set(self.allowed), set())

    def test_includes_start_at_the_root(self):
        self.fail_with([f"{path}: #include \"{target}\" is relative; start at the repository's root"
                        for path, _, kind, target in self.includes()
                        if kind == '"' and (target.startswith(".") or "/" not in target)])

    def test_headers_have_pragma_once(self):
        self.fail_with([f"{path}: starts without #pragma once" for path, text in self.text.items()
                        if path.suffix in (".h", ".cuh") and "#pragma once" not in text])

    def test_files_stay_readable(self):
        problems = []
        for path, text in self.text.items():
            lines = text.splitlines()
            if len(lines) > LINES_MAX:
                problems.append(f"{path}: {len(lines)} lines; split it at {LINES_MAX}")
            columns_max = COLUMNS_MAX if path.suffix in (".cpp", ".h", ".cu", ".cuh") else SCRIPT_COLUMNS_MAX
            problems += [f"{path}:{number}: {len(line)} columns" for number, line in enumerate(lines, 1)
                         if len(line) > columns_max and "golden" not in path.parts]
        self.fail_with(problems)

    def test_banned_habits(self):
        banned = {
            r"\bassert\s*\(": "assert() vanishes in release builds: CHECK for bugs, Status for input",
            r"\bTO" r"DO\b|\bFIX" r"ME\b": "unfinished marks belong in an issue",
            r"\busing namespace std\b": "no using namespace std",
            r"std::regex\b": "std::regex is slow and recursive; write a matcher",
            r"\balloca\s*\(": "no alloca",
        }
        problems = []
        for path, text in self.text.items():
            if path.suffix == ".py" or path == pathlib.Path("tests/tidy/tidy_test.py"):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                code = line.split("//")[0] if "assert" in line else line
                problems += [f"{path}:{number}: {why}" for pattern, why in banned.items()
                             if re.search(pattern, code) and "static_assert" not in code]
        self.fail_with(problems)

    def test_main_only_lists_the_parts(self):
        self.fail_with([f"{path}: {len(text.splitlines())} lines; main lists parts, at most 50"
                        for path, text in self.text.items()
                        if path.name == "main.cpp" and len(text.splitlines()) > 50])

    def test_sources_are_listed_by_hand(self):
        self.fail_with([f"{path}: file(GLOB) hides what is built" for path in self.files
                        if path.name == "CMakeLists.txt" and re.search(r"file\s*\(\s*GLOB", (ROOT / path).read_text())])

    def test_every_source_is_built(self):
        """A .cpp that no CMakeLists.txt names is dead."""
        listed = {}
        for path in self.files:
            if path.name == "CMakeLists.txt":
                listed[path.parent] = (ROOT / path).read_text()
        problems = []
        for path in self.text:
            if path.suffix not in (".cpp", ".cu"):
                continue
            folders = [folder for folder in path.parents if folder in listed]
            if not any(str(path.relative_to(folder)) in listed[folder] for folder in folders):
                problems.append(f"{path}: named by no CMakeLists.txt")
        self.fail_with(problems)

    def test_every_include_points_to_a_file(self):
        existing = {str(path) for path in self.files}
        self.fail_with([f"{path}: {target} does not exist" for path, _, kind, target in self.includes()
                        if kind == '"' and target.split("/")[0] in ("libs", "services", "kernels", "loadtest", "tests")
                        and target not in existing])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"] if len(sys.argv) == 1 else sys.argv)
