from setuptools import Extension, setup

setup(
    name="piwdemo-broken",
    version="@VERSION@",
    description="A package whose build fails",
    ext_modules=[Extension("piwdemo_broken", ["piwdemo_broken.c"])],
)
