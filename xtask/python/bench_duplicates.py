"""Plants copies among pictures, searches for them with imagededup, and judges what was found.

usage: bench_duplicates.py plant PICTURES FOLDER SEED
       bench_duplicates.py imagededup FOLDER
       bench_duplicates.py judge FOLDER FOUND.json

`plant` takes 1,500 pictures and adds copies of 150 of them: the same bytes, scaled by two thirds, or as a JPEG of quality 70. `judge`
reads what `latents duplicates --json` prints. The last two print lines of JSON: how many copies are in one group with their
original, and how many groups join pictures that are neither copies nor the same bytes.
"""

import hashlib
import json
import pathlib
import random
import shutil
import sys
import time
import warnings

from PIL import Image

Image.MAX_IMAGE_PIXELS = None
PICTURES, COPIES = 1500, 150


def flat(picture):
    """On a white background."""
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")


def plant(source, folder, seed):
    draw = random.Random(seed)
    files = sorted(pathlib.Path(source).rglob("*.png"))
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    originals = []
    for i, file in enumerate(draw.sample(files, PICTURES)):
        originals.append(folder / "a" / f"{i:04}-{file.name}")
        shutil.copyfile(file, originals[-1])
    pairs = []
    for i, original in enumerate(draw.sample(originals, COPIES)):
        copy = folder / "b" / f"{i:03}{'.jpg' if i % 3 == 2 else '.png'}"
        if i % 3 == 0:
            shutil.copyfile(original, copy)
        elif i % 3 == 1:
            picture = Image.open(original).convert("RGBA")
            size = [max(1, round(side * 2 / 3)) for side in picture.size]
            picture.resize(size, Image.Resampling.LANCZOS).save(copy)
        else:
            flat(Image.open(original)).save(copy, quality=70)
        pairs.append([str(path.relative_to(folder)) for path in (original, copy)])
    (folder / "pairs.json").write_text(json.dumps(pairs))


def judged(folder, groups):
    """What is right and what is wrong of groups of names."""
    pairs = {frozenset(pair) for pair in json.loads((folder / "pairs.json").read_text())}
    digests = {}

    def digest(name):
        if name not in digests:
            digests[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        return digests[name]

    def copies(a, b):
        return frozenset((a, b)) in pairs or digest(a) == digest(b)

    false = 0
    for group in groups:
        reached, new = set(), {group[0]}
        while new:
            reached |= new
            new = {b for b in group if b not in reached and any(copies(a, b) for a in reached)}
        false += len(reached) < len(group)
    group_of = {name: i for i, group in enumerate(groups) for name in group}
    places = [[group_of.get(name) for name in pair] for pair in pairs]
    found = sum(a is not None and a == b for a, b in places)
    return {"found": found, "false_groups": false}


def connected(near):
    """Groups of what is near, over any number of steps."""
    groups, seen = [], set()
    for name in sorted(near):
        group, new = set(), {name} - seen
        while new:
            group |= new
            new = {other for one in new for other in near[one]} - group
        seen |= group
        if len(group) > 1:
            groups.append(sorted(group))
    return groups


def imagededup(folder):
    warnings.simplefilter("ignore")
    from imagededup.methods import CNN, PHash

    lines = []
    hasher, start = PHash(verbose=False), time.perf_counter()
    codes = hasher.encode_images(image_dir=folder, recursive=True, num_enc_workers=2)
    encoded = time.perf_counter() - start
    for distance in (0, 2, 4, 6, 8, 10):
        start = time.perf_counter()
        near = hasher.find_duplicates(encoding_map=codes, max_distance_threshold=distance)
        seconds = encoded + time.perf_counter() - start
        name = f"imagededup, PHash, distance up to {distance}"
        lines.append({"method": name, "seconds": seconds, **judged(folder, connected(near))})
    try:
        network, start = CNN(verbose=False), time.perf_counter()
        codes = network.encode_images(image_dir=folder, recursive=True, num_enc_workers=0)
        encoded = time.perf_counter() - start
        for similarity in (0.9, 0.95, 0.98, 0.99):
            start = time.perf_counter()
            near = network.find_duplicates(encoding_map=codes, min_similarity_threshold=similarity)
            seconds = encoded + time.perf_counter() - start
            name = f"imagededup, CNN, similarity from {similarity}"
            lines.append({"method": name, "seconds": seconds, **judged(folder, connected(near))})
    except OSError as error:
        print(f"imagededup's network cannot be had: {error}", file=sys.stderr)
    return lines


def main():
    task, rest = sys.argv[1], sys.argv[2:]
    if task == "plant":
        plant(rest[0], pathlib.Path(rest[1]), int(rest[2]))
    elif task == "imagededup":
        print(json.dumps(imagededup(pathlib.Path(rest[0]))))
    else:
        found = json.loads(pathlib.Path(rest[1]).read_text())
        groups = [[member["name"] for member in group["members"]] for group in found["groups"]]
        print(json.dumps(judged(pathlib.Path(rest[0]), groups)))


main()
