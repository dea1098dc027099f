# Garage with a shell, which its own image lacks: to read its keys from a file, and to be asked whether it is there.
ARG GARAGE_IMAGE=dxflrs/garage:v2.5.0
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${GARAGE_IMAGE} AS garage

FROM ${RUNTIME_IMAGE}
# The same user as Roster's, so that both can read the keys.
RUN install --directory --owner=65532 --group=65532 --mode=0750 /var/lib/garage
COPY --from=garage /garage /usr/local/bin/garage
COPY deploy/garage.toml /etc/garage.toml
COPY deploy/garage.sh /usr/local/bin/garage.sh
USER 65532:65532
WORKDIR /var/lib/garage
VOLUME /var/lib/garage
EXPOSE 3900
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["bash", "-c", ": </dev/tcp/127.0.0.1/3900"]
ENTRYPOINT ["sh", "/usr/local/bin/garage.sh"]
