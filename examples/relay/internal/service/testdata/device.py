"""A device: publishes with a protocol, and prints the reason of each PUBACK."""
import sys
import threading
import paho.mqtt.client as mqtt

port, version, serial, token = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
protocol = {"3": mqtt.MQTTv311, "5": mqtt.MQTTv5}[version]
options = {"client_id": serial, "protocol": protocol}
if hasattr(mqtt, "CallbackAPIVersion"):  # paho-mqtt 2
    options["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION1
client = mqtt.Client(**options)
client.username_pw_set(serial, token)
connected = threading.Event()
client.on_connect = lambda *args: connected.set()
client.connect("127.0.0.1", port)
client.loop_start()
if not connected.wait(30):
    sys.exit("not connected")
for line in sys.stdin:
    info = client.publish("memfault/%s/chunk" % serial, line.rstrip("\n"), qos=1)
    info.wait_for_publish()
    if not info.is_published():
        sys.exit("no PUBACK for " + line[:20])
client.disconnect()
client.loop_stop()
print("done")
