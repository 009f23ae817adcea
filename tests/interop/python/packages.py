"""Makes one small package of each kind in a folder: a NuGet package and a wheel.

Usage: packages.py FOLDER
"""

import base64
import hashlib
import pathlib
import sys
import zipfile

folder = pathlib.Path(sys.argv[1])

NUSPEC = """<?xml version="1.0"?>
<package><metadata><id>Acme.Core</id><version>1.0.0</version><authors>acme</authors><description>x</description></metadata>
</package>"""
with zipfile.ZipFile(folder / "Acme.Core.1.0.0.nupkg", "w", zipfile.ZIP_DEFLATED) as package:
    package.writestr("Acme.Core.nuspec", NUSPEC)

FILES = {
    "acme_app.py": "",
    "acme_app-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-app\nVersion: 1.0.0\n",
    "acme_app-1.0.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
with zipfile.ZipFile(folder / "acme_app-1.0.0-py3-none-any.whl", "w") as wheel:
    record = ""
    for name, text in FILES.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        record += f"{name},sha256={digest},{len(text)}\n"
        wheel.writestr(name, text)
    wheel.writestr("acme_app-1.0.0.dist-info/RECORD", record + "acme_app-1.0.0.dist-info/RECORD,,\n")
