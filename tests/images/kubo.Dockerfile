# An unmodified Kubo in a layout like that of its official image, for machines without a registry.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}
RUN apt-get -qq update && apt-get -qq -y install --no-install-recommends busybox ca-certificates >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt && \
    for name in wget nslookup ping vi; do ln -sf /bin/busybox /usr/local/bin/$name; done && \
    useradd -u 1000 -g users -d /data/ipfs -s /bin/sh ipfs && \
    mkdir -p /data/ipfs /container-init.d && chown ipfs:users /data/ipfs /container-init.d
COPY ipfs /usr/local/bin/ipfs
COPY start_ipfs /usr/local/bin/start_ipfs
ENV IPFS_PATH=/data/ipfs
EXPOSE 4001/tcp 4001/udp 5001/tcp 8080/tcp
VOLUME /data/ipfs
ENTRYPOINT ["/usr/local/bin/start_ipfs"]
CMD ["daemon", "--migrate=true"]
