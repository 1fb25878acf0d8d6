# Two models of one system, float and quantized, with what it takes to run them and no more.
# `make container SYSTEM=california` builds it and tries it out; the arguments are in container/build.py.
ARG BASE=python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7

FROM ${BASE} AS builder
WORKDIR /build
# From a mirror of PyPI, if need be: the hashes hold wherever the wheels come from.
ARG PIP_INDEX_URL=https://pypi.org/simple
COPY container/requirements.txt container/
RUN python -m pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes \
        --requirement container/requirements.txt --target /packages \
    && rm -rf /packages/bin
ENV PYTHONPATH=/app:/packages
COPY octet/ /app/octet/
COPY container/__main__.py /app/container/
ARG SYSTEM
COPY models/${SYSTEM}/float.safetensors models/${SYSTEM}/quantized.safetensors /app/models/
COPY data/${SYSTEM}.safetensors container/sample.py ./
WORKDIR /app
ARG REVISION
ARG FLOAT_MD5
ARG QUANTIZED_MD5
# What the labels say, where the image itself can read it; and bytecode, for which a read-only file
# system has no place later.
RUN mkdir /state \
    && printf '%s  models/%s.safetensors\n' "${FLOAT_MD5}" float "${QUANTIZED_MD5}" quantized \
        > MD5SUMS \
    && printf '%s\n' "${REVISION}" > REVISION \
    && md5sum --check MD5SUMS \
    && python /build/sample.py "/build/${SYSTEM}.safetensors" /app \
    && python -m compileall -q --invalidation-mode unchecked-hash /app \
    && chmod -R a+rX /app /packages

FROM ${BASE}
COPY --from=builder /packages /packages
COPY --from=builder /app /app
# For the states of `monitor`, where a volume is mounted on it.
COPY --from=builder --chown=10001:10001 /state /state
# Behind the files that hold the same: buildah's cache does not look at what a label comes to.
ARG SYSTEM
ARG REVISION
ARG FLOAT_MD5
ARG QUANTIZED_MD5
LABEL org.opencontainers.image.title="octet ${SYSTEM}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}" \
      octet.float.md5="${FLOAT_MD5}" \
      octet.quantized.md5="${QUANTIZED_MD5}"
ENV PYTHONPATH=/app:/packages
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "-m", "container"]
CMD ["sample"]
