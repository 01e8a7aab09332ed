# The gateway and what it is linked with, nothing else: no shell, no package manager, no root. Build: docker build -t weir .
# Run: deploy/compose.yaml and deploy/helm show how. tests/soak/test_image.py goes through these steps without a daemon.
FROM debian:trixie-slim AS pages
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates npm
WORKDIR /src
COPY openapi/viewer/package.json openapi/viewer/package-lock.json openapi/viewer/
RUN npm ci --prefix openapi/viewer --ignore-scripts --no-audit --no-fund
COPY dashboard/package.json dashboard/package-lock.json dashboard/
RUN npm ci --prefix dashboard --ignore-scripts --no-audit --no-fund

FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev make nodejs pkg-config \
    python3 python3-yaml libmicrohttpd-dev libgnutls28-dev libjansson-dev libpq-dev libjwt-dev libssl-dev libcurl4-openssl-dev \
    zlib1g-dev libpcre2-dev
WORKDIR /src
COPY . .
COPY --from=pages /src/openapi/viewer/node_modules openapi/viewer/node_modules
COPY --from=pages /src/dashboard/node_modules dashboard/node_modules
ARG VERSION
RUN make -s -j"$(nproc)" ${VERSION:+VERSION=$VERSION} all && strip --strip-debug build/weir && deploy/image-root.sh build/weir /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
WORKDIR /
ENV WEIR_HTTP_ADDRESS=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["weir", "healthcheck"]
LABEL org.opencontainers.image.title="Weir" \
      org.opencontainers.image.description="Event streams over plain HTTP, on the PostgreSQL you already run" \
      org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["weir"]
CMD ["serve"]
