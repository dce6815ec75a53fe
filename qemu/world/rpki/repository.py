"""A whole repository on disk, as it is published by rsync and by RRDP (RFC 8182), with the locator
of its trust anchor (RFC 8630)."""

import base64
import hashlib
import textwrap
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qemu.world.rpki.authority import Authority, Place, der
from qemu.world.rpki.payloads import Aspa, Period, Roa
from qemu.world.rpki.resources import Resources

MODULE = "rpki"
"""The module of rsyncd.conf(5), and the folder of it."""

RRDP = "rrdp"
"""The folder that the HTTPS server publishes."""

LOCATOR = "ta.tal"

NAMESPACE = "http://www.ripe.net/rpki/rrdp"

LIFETIME = timedelta(days=30)


def place_at(host: str) -> Place:
    """Where a repository is that `host`, a name or an address, publishes."""
    return Place(f"rsync://{host}/{MODULE}/", f"https://{host}/notification.xml")


def usual(now: datetime | None = None) -> Period:
    """From yesterday on."""
    now = now or datetime.now(UTC)
    return Period(now - timedelta(days=1), now + LIFETIME)


def make(
    folder: Path,
    host: str,
    roas: Sequence[Roa],
    aspas: Iterable[Aspa] = (),
    period: Period | None = None,
    manifest: Period | None = None,
) -> None:
    """Write into `folder` the repository of a trust anchor with one authority below it, which has
    the resources that `roas` and `aspas` need. `manifest` is when that authority's manifest is
    valid, if that differs from `period`. There is one ROA for each origin."""
    place, period = place_at(host), period or usual()
    anchor = Authority.anchor(place, period)
    aspas = tuple(aspas)
    networks = [roa.prefix for roa in roas]
    authority = anchor.child(
        "members", Resources.of(networks, [aspa.customer for aspa in aspas]), manifest
    )
    for origin in dict.fromkeys(roa.origin for roa in roas):
        authority.authorize(*(roa for roa in roas if roa.origin == origin))
    for aspa in aspas:
        authority.attest(aspa)
    for one in (authority, anchor):
        one.finish()
    write(folder, anchor, [anchor, authority])


def write(folder: Path, anchor: Authority, authorities: Iterable[Authority]) -> None:
    """Write what `authorities` publish into `folder`, for both ways of publishing, and the locator
    of `anchor`."""
    published = {
        f"{one.name}/{name}": data for one in authorities for name, data in one.files.items()
    }
    files = published | {"ta.cer": der(anchor.certificate)}
    for path, data in files.items():
        file = folder / MODULE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    publish(folder, anchor.place)
    (folder / LOCATOR).write_text(locator(anchor))


def publish(folder: Path, place: Place) -> None:
    """Write for RRDP what `folder` has for rsync: the first snapshot of a new session."""
    root, rrdp = folder / MODULE, folder / RRDP
    rrdp.mkdir(exist_ok=True)
    facts = {"xmlns": NAMESPACE, "version": "1", "session_id": str(uuid.uuid4()), "serial": "1"}
    snapshot = Element("snapshot", facts)
    for path in sorted(root.glob("*/*")):
        name = path.relative_to(root).as_posix()
        entry = SubElement(snapshot, "publish", uri=f"{place.rsync}{name}")
        entry.text = base64.b64encode(path.read_bytes()).decode()
    text = tostring(snapshot)
    (rrdp / "snapshot.xml").write_bytes(text)
    notification = Element("notification", facts)
    uri = place.notification.rpartition("/")[0] + "/snapshot.xml"
    SubElement(notification, "snapshot", uri=uri, hash=hashlib.sha256(text).hexdigest())
    (rrdp / "notification.xml").write_bytes(tostring(notification))
    (rrdp / "ta.cer").write_bytes((root / "ta.cer").read_bytes())


def locator(anchor: Authority) -> str:
    """A TAL: where the certificate is, and which key it has."""
    key = anchor.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    https = anchor.place.notification.rpartition("/")[0] + "/ta.cer"
    encoded = "\n".join(textwrap.wrap(base64.b64encode(key).decode(), 64))
    return f"{https}\n{anchor.uri}\n\n{encoded}\n"
