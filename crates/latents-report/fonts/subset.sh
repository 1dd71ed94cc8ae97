#!/bin/sh
# Creates the two font files beside this script from Debian's package fonts-inter (4.0~beta7), with pyftsubset of fonttools.
# Kept: Latin with Latin-1 and Extended-A, Greek, punctuation, super- and subscript digits, arrows, common mathematics.
set -eu
cd "$(dirname "$0")"
set_of=U+0020-007E,U+00A0-017F,U+0370-03FF,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+2032,U+2033,U+2070-209F
set_of=$set_of,U+2190-2193,U+2202,U+2206-2208,U+220F,U+2211,U+2212,U+2215,U+2217,U+221A,U+221D,U+221E,U+2229-222B
set_of=$set_of,U+2248,U+2260,U+2264,U+2265,U+22C5,U+25CB,U+25CF,U+FFFD
for weight in Regular SemiBold; do
    pyftsubset "/usr/share/fonts/opentype/inter/Inter-$weight.otf" --unicodes="$set_of" --layout-features=tnum \
        --no-hinting --name-IDs=0,1,2,3,4,5,6,13,14 --output-file="Inter-$weight-subset.otf"
done
