"""Rewrites a docker archive so that the same layers make the same bytes: without the builder's history, in a fixed order. Prints the image's id.
usage: plain-archive.py IN OUT"""
import hashlib, io, json, sys, tarfile

source, target = sys.argv[1:]
with tarfile.open(source) as old, tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as new:
    def add(name, size, content):
        entry = tarfile.TarInfo(name)
        entry.size = size
        new.addfile(entry, content)

    [image] = json.load(old.extractfile("manifest.json"))
    config = json.load(old.extractfile(image["Config"]))
    # It names the ids of intermediate images, which are made up anew by each build.
    config.pop("history", None)
    config.pop("parent", None)
    config["config"].pop("Hostname", None)
    config.pop("container", None)
    config.pop("container_config", None)
    text = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    layers = []
    for layer, diff in zip(image["Layers"], config["rootfs"]["diff_ids"]):
        member = old.getmember(layer)
        while member.issym() or member.islnk():
            member = old.getmember(member.linkname.removeprefix("../"))
        name = diff.split(":")[1] + ".tar"
        if name not in layers:
            add(name, member.size, old.extractfile(member))
        layers.append(name)
    add(digest + ".json", len(text), io.BytesIO(text))
    manifest = json.dumps([{"Config": digest + ".json", "RepoTags": image["RepoTags"], "Layers": layers}]).encode()
    add("manifest.json", len(manifest), io.BytesIO(manifest))
print(digest)
