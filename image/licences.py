"""Names of licences, from the ports tree's (Mk/bsd.licenses.db.mk) to those of SPDX."""

import re
from collections.abc import Sequence

from cyclonedx.spdx import is_supported_id

SPDX = {
    "AGPLv3": "AGPL-3.0-only",
    "APACHE10": "Apache-1.0",
    "APACHE11": "Apache-1.1",
    "APACHE20": "Apache-2.0",
    "ART10": "Artistic-1.0",
    "ART20": "Artistic-2.0",
    "ARTPERL10": "Artistic-1.0-Perl",
    "BSD0CLAUSE": "0BSD",
    "BSD2CLAUSE": "BSD-2-Clause",
    "BSD3CLAUSE": "BSD-3-Clause",
    "BSD4CLAUSE": "BSD-4-Clause",
    "BSL": "BSL-1.0",
    "CDDL": "CDDL-1.0",
    "EPL": "EPL-1.0",
    "GPLv1": "GPL-1.0-only",
    "GPLv2": "GPL-2.0-only",
    "GPLv3": "GPL-3.0-only",
    "ISCL": "ISC",
    "LGPL20": "LGPL-2.0-only",
    "LGPL21": "LGPL-2.1-only",
    "LGPL3": "LGPL-3.0-only",
    "MPL10": "MPL-1.0",
    "MPL11": "MPL-1.1",
    "MPL20": "MPL-2.0",
    "OFL10": "OFL-1.0",
    "OFL11": "OFL-1.1",
    "PHP30": "PHP-3.0",
    "PHP301": "PHP-3.01",
    "PSFL": "PSF-2.0",
    "RUBY": "Ruby",
    "UNLICENSE": "Unlicense",
    "ZLIB": "Zlib",
    "ZPL21": "ZPL-2.1",
}
"""Without those of the ports tree that name no single text (BSD, GFDL, MPL, PD), and those that
are SPDX's own names already (MIT, OpenSSL, CC0-1.0). ``GPLv2+`` is made of ``GPLv2``."""


def spdx(names: Sequence[str], logic: str) -> str:
    """The SPDX expression for a package's licences; `logic` is ``single``, ``and`` or ``or``.

    What SPDX has no name for becomes a ``LicenseRef-``. Empty for a package that names none.
    """
    return f" {'OR' if logic == 'or' else 'AND'} ".join(dict.fromkeys(map(_one, names)))


def _one(name: str) -> str:
    later = name.endswith("+")
    found = SPDX.get(name.removesuffix("+"), name)
    if later:
        found = found.replace("-only", "-or-later")
    if is_supported_id(found):
        return found
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)
