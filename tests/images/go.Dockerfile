# The reference's peer in a layout like that of its official image, for machines without a registry.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}
RUN apt-get -qq update && apt-get -qq -y install --no-install-recommends busybox ca-certificates >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt && \
    for name in wget nslookup ping vi; do ln -sf /bin/busybox /usr/local/bin/$name; done && \
    useradd -u 1000 -g users -d /data/ipfs-cluster -s /bin/sh ipfs && \
    mkdir -p /data/ipfs-cluster && chown 1000:users /data/ipfs-cluster
COPY ipfs-cluster-service ipfs-cluster-ctl /usr/local/bin/
ENV IPFS_CLUSTER_PATH=/data/ipfs-cluster
USER 1000
EXPOSE 9094/tcp 9095/tcp 9096/tcp
VOLUME /data/ipfs-cluster
ENTRYPOINT ["ipfs-cluster-service"]
CMD ["daemon"]
