# The image in which pods and containers run Forerun's jobs: this project, with the pins of requirements.lock.
#   docker build -t registry.example.com/forerun:0.1.0 .
FROM python:3.11-slim-bookworm

# lightgbm needs the OpenMP runtime.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /forerun

# First what changes seldom, so that a change of the code installs nothing again.
COPY requirements.lock pyproject.toml hatch_build.py README.md LICENSE ./
COPY scripts/forerun/__init__.py scripts/forerun/__init__.py
RUN pip install --no-cache-dir -c requirements.lock -e '.[kubernetes,s3]'

COPY . .

# Jobs need no rights; Snakemake keeps its cache in the user's home. A number, as clusters that refuse
# images of root ask for one.
RUN useradd --create-home --uid 1000 forerun \
    && chown -R forerun /forerun
USER 1000

ENTRYPOINT ["snakemake"]
CMD ["--help"]
