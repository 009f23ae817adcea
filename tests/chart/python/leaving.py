"""Holds a rendered Deployment to its own buildpass.toml: a pod has the time to end that the server takes, and the probes
ask the admin port, each with a time-out of its own. Prints nothing if so."""

import sys
import tomllib

import yaml

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIGRATION = 600


def seconds(text):
    return int(text[:-1]) * SECONDS[text[-1]]


manifests = [manifest for manifest in yaml.safe_load_all(open(sys.argv[1])) if manifest]
[config] = [
    manifest["data"]["buildpass.toml"]
    for manifest in manifests
    if manifest["kind"] == "ConfigMap" and not manifest["metadata"]["name"].endswith("-prepare")
]
server = tomllib.loads(config)["server"]
[deployment] = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
pod = deployment["spec"]["template"]["spec"]
[container] = pod["containers"]

longest = max(seconds(server.get("request_timeout", "30s")), seconds(server.get("drain_timeout", "15s")))
needed = seconds(server.get("drain_delay", "0s")) + longest + 5
if pod["terminationGracePeriodSeconds"] < needed:
    sys.exit(f"terminationGracePeriodSeconds is {pod['terminationGracePeriodSeconds']}, and the server takes {needed}")
if len(sys.argv) > 2 and pod["terminationGracePeriodSeconds"] != int(sys.argv[2]):
    sys.exit(f"terminationGracePeriodSeconds is {pod['terminationGracePeriodSeconds']}, not {sys.argv[2]}")

ports = {port["name"]: port["containerPort"] for port in container["ports"]}
if not server["admin_listen"].endswith(f":{ports['admin']}"):
    sys.exit(f"admin_listen is {server['admin_listen']}, and the port {ports['admin']}")
for name in ("startupProbe", "livenessProbe", "readinessProbe"):
    probe = container[name]
    if probe["httpGet"]["port"] != "admin" or "timeoutSeconds" not in probe:
        sys.exit(f"{name} asks {probe}")
startup = container["startupProbe"]
if startup["periodSeconds"] * startup["failureThreshold"] < MIGRATION:
    sys.exit(f"the startup probe leaves no time for a migration: {startup}")
