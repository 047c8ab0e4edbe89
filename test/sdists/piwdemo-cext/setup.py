from setuptools import Extension, setup

setup(
    name="piwdemo-cext",
    version="@VERSION@",
    description="A C extension that squeezes bytes with zlib <fast & small>",
    python_requires=">=3.7,<4",
    ext_modules=[Extension("piwdemo_cext", ["piwdemo_cext.c"], libraries=["z"])],
)
