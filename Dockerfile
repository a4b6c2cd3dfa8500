# sfumato in a container of its own:
#   docker build -t sfumato .
#   docker run --rm -v "$PWD:/data" sfumato sketch people.csv -o draft.yaml
# The ledger lies beside the rows, so mount the folder that holds both, and always the same one.

FROM python:3.12-slim AS build
ARG EXTRAS=report
WORKDIR /src
COPY pyproject.toml hatch_build.py constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/sfumato \
    && /opt/sfumato/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim
COPY --from=build /opt/sfumato /opt/sfumato
RUN useradd --create-home --uid 1000 sfumato
USER sfumato
WORKDIR /data
ENV MPLCONFIGDIR=/tmp/matplotlib PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["/opt/sfumato/bin/sfumato"]
CMD ["--help"]
