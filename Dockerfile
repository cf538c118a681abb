# The peer's image: the programs are compiled on Debian, and run on what they need of it and nothing else.
#   docker build -t ipfs-cluster-agent .              or podman build, or buildah bud --isolation chroot
# For another architecture: --platform linux/arm64. scripts/image builds it, measures it and tries it out.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /src
COPY . .
# A folder of the context with programs that are compiled already; for machines that have just built them.
ARG PREBUILT=
RUN if [ -n "$PREBUILT" ]; then mkdir -p /out && cp "$PREBUILT"/ipfs-cluster-* /out/; else \
      scripts/deps build && scripts/build release ipfs-cluster-agent ipfs-cluster-ctl && mkdir -p /out && \
      strip -o /out/ipfs-cluster-agent build/release/bin/ipfs-cluster-agent && \
      strip -o /out/ipfs-cluster-ctl build/release/bin/ipfs-cluster-ctl; \
    fi

FROM ${BASE_IMAGE} AS files
COPY --from=build /out /out
COPY image /image
RUN /image/collect /out /rootfs

FROM scratch
COPY --from=files /rootfs /
ENV PATH=/usr/local/bin:/usr/bin:/bin IPFS_CLUSTER_PATH=/data/ipfs-cluster HOME=/tmp
# REST API, IPFS proxy, peers, Pinning Services API, metrics and health
EXPOSE 9094/tcp 9095/tcp 9096/tcp 9097/tcp 8888/tcp
USER 1000:1000
VOLUME /data/ipfs-cluster
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["ipfs-cluster-agent", "health"]
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
CMD ["daemon"]
LABEL org.opencontainers.image.title="ipfs-cluster-agent" \
      org.opencontainers.image.description="A peer of IPFS Cluster in C++" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
