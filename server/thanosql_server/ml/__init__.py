"""Model families: pictures and text in, unit vectors out; the only layer with torch."""

import os

# OpenMP's threads spin while they wait for each other. Alone on a machine that is
# fastest, but beside other work each spin is stolen from the thread that is waited for.
# One SimCLR step on two cores, idle: 36 ms spinning, 50 sleeping; with one of the cores
# busy: 250 to 900 ms spinning, 85 sleeping. A server is seldom alone, so threads sleep.
# libgomp reads this when torch is loaded: it must stand before the first import of it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
