"""Wall clocks of the service processes, each of which can be stepped alone (clock_step.cpp)."""
import struct


class Clocks:
    def __init__(self, run_dir, bin_dir):
        self.folder, self.library = run_dir / "clocks", bin_dir / "libclock_step.so"
        self.folder.mkdir(exist_ok=True)

    def environment(self, name):
        """For the process of that name, whose clock is the machine's until it is stepped."""
        self.step(name, 0)
        return {"LD_PRELOAD": str(self.library.resolve()), "MESH_CHAOS_CLOCK": str(self.folder / name)}

    def step(self, name, seconds):
        """In place: the process has the file mapped."""
        path = self.folder / name
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds * 1000))
