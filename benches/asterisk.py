"""Asterisk under the same meters, in the same hour, on the same core: `run.py --beside ROOT`.

ROOT is a folder with Debian's package in it and all the libraries that it needs, for instance of the suite that still has Asterisk:
`debootstrap --variant=minbase --include=asterisk sid ROOT http://deb.debian.org/debian`. Nothing of it is installed on this system.
"""
import glob, math, os, shutil, subprocess, time

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "asterisk")
TARGET = "127.0.0.1:5072"
# bridge, rec and their kin; `queue` and `ivr` would need a plan as elaborate as ours to be compared
SCENARIOS = ("sig", "bridge_sig", "play", "echo", "rec", "bridge", "bridge_rec")
PROMPT_SECONDS = 60


def inside(root, *pattern):
    found = glob.glob(os.path.join(root, *pattern))
    if not found:
        raise SystemExit(f"--beside {root}: {os.path.join(*pattern)} is not in it; benches/asterisk.py says how such a folder is made")
    return os.path.abspath(found[0])


def command(root):
    """The program with the libraries of its own root, without a chroot."""
    libraries = os.path.dirname(inside(root, "usr/lib/*/libc.so.6"))
    loader = inside(root, "usr/lib/*/ld-linux-*.so.*")
    return [loader, "--library-path", libraries, inside(root, "usr/sbin/asterisk")]


def version(root):
    return subprocess.run(command(root) + ["-V"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def start(root, state):
    """A fresh Asterisk with all it writes under `state`; answers with its process."""
    home = os.path.join(state, "asterisk")
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(HERE, os.path.join(home, "etc"))
    for folder in ("lib", "db", "keys", "spool/monitor", "run", "log/cdr-csv", "data/sounds/en"):
        os.makedirs(os.path.join(home, folder))
    shutil.copytree(inside(root, "usr/share/asterisk/documentation"), os.path.join(home, "data/documentation"))
    prompt(os.path.join(home, "data/sounds/en/bench.ulaw"))
    modules = os.path.dirname(inside(root, "usr/lib/*/asterisk/modules/chan_pjsip.so"))
    folders = {"astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "db", "astkeydir": "keys", "astdatadir": "data", "astspooldir": "spool",
               "astrundir": "run", "astlogdir": "log"}
    with open(os.path.join(home, "etc/asterisk.conf"), "w") as conf:
        conf.write("[directories]\n" + "".join(f"{key} => {home}/{value}\n" for key, value in folders.items()) + f"astmoddir => {modules}\n")
        conf.write("[options]\nverbose = 0\ndebug = 0\n")
    log = open(os.path.join(state, "asterisk.log"), "ab")
    server = subprocess.Popen(["taskset", "-c", "0"] + command(root) + ["-f", "-n", "-C", os.path.join(home, "etc/asterisk.conf")],
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    for _ in range(600):
        if booted(root, home):
            return server
        if server.poll() is not None:
            raise SystemExit(f"Asterisk ended with {server.returncode}: {open(log.name).read()[-2000:]}")
        time.sleep(0.1)
    raise SystemExit(f"Asterisk did not start within a minute: {open(log.name).read()[-2000:]}")


def booted(root, home):
    if not os.path.exists(os.path.join(home, "run/asterisk.ctl")):
        return False
    asked = subprocess.run(command(root) + ["-C", os.path.join(home, "etc/asterisk.conf"), "-rx", "core waitfullybooted"],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return "fully booted" in asked.stdout


def prompt(path):
    """A tone in the codec of the wire, which costs Asterisk no transcoding."""
    tone = [int(8000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(8000)]
    with open(path, "wb") as out:
        out.write(bytes(mu_law(sample) for sample in tone) * PROMPT_SECONDS)


def mu_law(sample):
    """G.711, section 3.2."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | size >> exponent + 3 & 0x0F) & 0xFF
