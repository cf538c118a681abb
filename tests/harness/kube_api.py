"""As much of an API server as helm asks when a template looks something up."""
import http.server
import json
import threading

GROUPS = {"apps": ["v1"], "batch": ["v1"], "policy": ["v1"], "networking.k8s.io": ["v1"], "autoscaling": ["v2"]}
KINDS = {
    "v1": {"secrets": "Secret", "namespaces": "Namespace", "services": "Service", "configmaps": "ConfigMap", "pods": "Pod",
           "serviceaccounts": "ServiceAccount", "persistentvolumeclaims": "PersistentVolumeClaim"},
    "apps/v1": {"statefulsets": "StatefulSet"}, "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"}, "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
}


class KubeApi:
    """with KubeApi(objects) as api: helm(..., *api.flags)"""

    def __init__(self, objects=()):
        self.objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}, *objects]

    def __enter__(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, answer = api.answer(self.path.split("?")[0].strip("/").split("/"))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.flags = ["--dry-run=server", "--kube-apiserver", f"http://127.0.0.1:{self.server.server_port}"]
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path):
        if path == ["version"]:
            return 200, {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
        if path == ["api"]:
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        if path == ["apis"]:
            versions = lambda g: [{"groupVersion": f"{g}/{v}", "version": v} for v in GROUPS[g]]
            return 200, {"kind": "APIGroupList", "apiVersion": "v1",
                         "groups": [{"name": g, "versions": versions(g), "preferredVersion": versions(g)[0]} for g in GROUPS]}
        version = "v1" if path[0] == "api" else "/".join(path[1:3])
        rest = path[2:] if path[0] == "api" else path[3:]
        if not rest:
            return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [
                {"name": name, "singularName": "", "kind": kind, "namespaced": kind != "Namespace", "verbs": ["get", "list"]}
                for name, kind in KINDS.get(version, {}).items()]}
        name = rest[-1]
        plural = rest[-2]
        for o in self.objects:
            if o["metadata"]["name"] == name and o["kind"] == KINDS.get(version, {}).get(plural):
                return 200, o
        return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
