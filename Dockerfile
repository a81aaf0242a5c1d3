# syntax=docker/dockerfile:1
# One static binary, built on the builder's own platform for the target's.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
# The modules first: they change less often than the code, and so stay in the layer cache.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api api
COPY cmd cmd
COPY internal internal
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags kustomize_disable_go_plugin_support -ldflags "-s -w -X github.com/tiphys-io/tiphys/internal/cli.version=$VERSION" -o /tiphys ./cmd

# Certificates of public authorities and a user that is not root, and nothing else: no shell.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /tiphys /tiphys
USER 65532:65532
ENTRYPOINT ["/tiphys"]
CMD ["operator"]
