"""inline_schemas.py WHEEL OUT: the schemas of the kinds that the chart uses, without references to other files.

The package keeps one file a kind that refers to a shared _definitions.json; kubeconform cannot follow that.
"""
import json
import pathlib
import sys
import zipfile

VERSIONS = ("1.25.0", "1.29.0", "1.34.0", "1.37.0")
KINDS = (
    "statefulset-apps-v1", "service-v1", "secret-v1", "configmap-v1", "serviceaccount-v1", "pod-v1",
    "persistentvolumeclaim-v1", "poddisruptionbudget-policy-v1", "horizontalpodautoscaler-autoscaling-v2",
    "networkpolicy-networking-v1", "ingress-networking-v1", "cronjob-batch-v1", "job-batch-v1",
)


def inline(node, definitions, seen=()):
    if isinstance(node, list):
        return [inline(item, definitions, seen) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        if name in seen:  # a kind that contains itself, as JSONSchemaProps does
            return {}
        return inline(definitions[name], definitions, (*seen, name))
    return {key: inline(value, definitions, seen) for key, value in node.items()}


def main(wheel, out):
    with zipfile.ZipFile(wheel) as archive:
        for version in VERSIONS:
            folder = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict"
            definitions = json.loads(archive.read(f"{folder}/_definitions.json"))["$defs"]
            target = pathlib.Path(out) / f"v{version}-standalone-strict"
            target.mkdir(parents=True, exist_ok=True)
            for kind in KINDS:
                schema = json.loads(archive.read(f"{folder}/{kind}.json"))
                (target / f"{kind}.json").write_text(json.dumps(inline(schema, definitions)))


if __name__ == "__main__":
    main(*sys.argv[1:])
