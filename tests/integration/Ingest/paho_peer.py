"""A client with Eclipse Paho that does what it is told: one JSON command a line on standard input, one JSON event a line on standard output."""
import json
import sys
import threading

import paho.mqtt.client as paho

lock = threading.Lock()


def tell(**event):
    with lock:
        print(json.dumps(event), flush=True)


def connect(c):
    client = paho.Client(client_id=c["id"], clean_session=c.get("clean", True), transport=c.get("transport", "tcp"))
    client.username_pw_set(c["user"], c["secret"])
    if "will" in c:
        client.will_set(c["will"]["topic"], bytes.fromhex(c["will"]["hex"]), qos=1)
    client.on_connect = lambda _c, _u, _flags, code: tell(event="connected", code=code)
    client.on_disconnect = lambda _c, _u, code: tell(event="disconnected", code=code)
    client.on_subscribe = lambda _c, _u, _mid, granted: tell(event="subscribed", granted=list(granted))
    client.on_publish = lambda _c, _u, mid: tell(event="published", mid=mid)
    client.on_message = lambda _c, _u, m: tell(event="message", topic=m.topic, hex=m.payload.hex(), qos=m.qos)
    if c.get("transport") == "websockets":
        client.ws_set_options(path="/mqtt")
    client.connect("127.0.0.1", c["port"])
    client.loop_start()
    return client


client = None
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "connect":
        client = connect(command)
    elif command["do"] == "subscribe":
        client.subscribe(command["filter"], command.get("qos", 0))
    elif command["do"] == "publish":
        client.publish(command["topic"], bytes.fromhex(command["hex"]), qos=command["qos"])
    elif command["do"] == "disconnect":
        client.disconnect()
