# syntax=docker/dockerfile:1
# An image of the program and nothing else: no shell, no package manager, no root. The same sources give the same program.

# Where the program comes from: compiled or released, which are stages below.
ARG BINARY=compiled

FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine3.24@sha256:ce864e7223ac17b1775e6fd0b4c0db580c2eb50e7953a427916379e4b92a1628 AS go
RUN mkdir /storage

# The program, made here.
FROM go AS compiled
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION=unreleased REVISION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOTOOLCHAIN=local \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= \
      -X github.com/prometheus/common/version.Version=$VERSION \
      -X github.com/prometheus/common/version.Revision=$REVISION" \
    -o /layerwatch ./cmd/layerwatch

# The program that a release has made already (.goreleaser.yaml): the image holds the very one whose checksum is published.
FROM scratch AS released
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/layerwatch /layerwatch

FROM ${BINARY} AS binary

FROM scratch
LABEL org.opencontainers.image.title="layerwatch" \
      org.opencontainers.image.description="Watches layer-1 chains and the layer-2 networks that settle on them, and tells Prometheus." \
      org.opencontainers.image.source="https://github.com/layerwatch/layerwatch" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=go /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# The cursors' folder belongs to whom the program runs as: a new volume takes that over.
COPY --from=go --chown=65532:65532 /storage /data
COPY --from=binary /layerwatch /layerwatch
USER 65532:65532
VOLUME /data
EXPOSE 9645
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/layerwatch", "health"]
ENTRYPOINT ["/layerwatch"]
