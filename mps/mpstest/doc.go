// Package mpstest is for tests of management presence servers (MPS), the servers that Intel AMT devices call: simulated
// devices, one or thousands of them, that log in as firmware does and serve the channels that the server opens.
//
// A [Device] is an apf connection of the device's side with what firmware has around it: TLS with a root or a pin to trust,
// a password or a client certificate, the seven ports of Intel AMT, and the patience with which firmware calls again.
// [Quirks] makes it as awkward as firmware can be. Behind each port is a [Handler], a function that is given a net.Conn:
//
//	device, err := mpstest.NewDevice(mpstest.Config{
//		Server: "127.0.0.1:4433", Trust: mpstest.Trust{Pin: pin},
//		UUID: uuid, User: "AbCdEfGhIjKlMnOp", Password: password,
//		Ports: map[uint16]mpstest.Handler{16992: mpstest.HTTP(site), 5900: mpstest.Echo},
//	})
//	device.Start()
//	defer device.Close()
//	_, err = device.WaitOnline(ctx)
//
// The server may be any: a stock MeshCentral, package mps, or another one, at its TLS port or over WebSocket. Many devices
// are a [Fleet].
package mpstest
