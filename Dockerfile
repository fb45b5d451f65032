FROM python:3.13.15-slim-trixie AS base

FROM base AS build
ENV PYTHONPATH=/app:/tools PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements /requirements
RUN pip install --no-deps --only-binary :all: --require-hashes --target /tools -r /requirements/build.txt \
    && pip install --no-deps --only-binary :all: --require-hashes --target /app -r /requirements/image.txt
WORKDIR /source
COPY . .
# Only the locked tools build the package: no index, no isolation. The image's model is trained here, where a broken
# gate breaks the build; one thread, so that sums do not depend on the builder's cores.
RUN pip install --no-deps --no-index --no-build-isolation --target /app . \
    && OPENBLAS_NUM_THREADS=1 python -m housing_np.train --out /app/models --max-r2-drop 0.002
# Out goes what no prediction needs; the bytecode that stays does not depend on the time of the build.
RUN find /app -depth \( -name tests -o -name include -o -name f2py -o -name bin -o -name _examples -o -name _pyinstaller \
        -o -name __pycache__ -o -name '*.pyi' -o -name '*.pxd' -o -name '*.a' \) -exec rm -rf {} + \
    && python -m compileall -q --invalidation-mode unchecked-hash /app \
    && chmod -R a+rX /app

FROM base
# A container that predicts installs nothing: pip goes, wherever python.org's or Debian's Python keeps it.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip \
        /usr/bin/pip* /usr/lib/python3/dist-packages/pip* /usr/lib/python3.*/ensurepip
COPY --from=build /app /app
# PYTHONSAFEPATH: a mounted folder's modules are never imported. One BLAS thread starts at once and fits --pids-limit.
# A server in a container listens to all: what reaches it is what `docker run` publishes.
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 OPENBLAS_NUM_THREADS=1 HOUSING_NP_MODEL=/app/models/uint8-per-channel.npz \
    HOUSING_NP_HOST=0.0.0.0
# The official base has no bytecode of the standard library: one run leaves what a prediction imports, and proves the image.
RUN python -c "import argparse, csv, json" && python -m housing_np predict
ENV PYTHONDONTWRITEBYTECODE=1
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="housing_np" \
      org.opencontainers.image.description="A linear model in pure NumPy, quantized to uint8: rows in, predictions out" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 8080
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["python", "-m", "housing_np"]
CMD ["predict"]
