// Package wsmantest is a simulated Intel AMT device: WS-Management over HTTP and TLS as the firmware does it, and the
// redirection ports, over any net.Conn. It has no processor to switch off and no screen; it has a state, and whatever is
// asked of it by any class gives answers that fit together.
//
// A [Device] serves connections that it is given: of a listener, of the channels of a CIRA connection (its
// [Device.Handler] fits the simulated devices of package mps/mpstest), or of net.Pipe. It is not built on net/http,
// whose server refuses the Host header that MeshCentral sends over CIRA ("node//...:16992") and writes other chunks than
// the firmware does.
//
//	d := wsmantest.New(wsmantest.Config{Version: "16.1", User: "admin", Password: secret})
//	defer d.Close()
//	go d.Serve(listener, 16992)
//
// What it answers was seen to be accepted by a stock MeshCentral's manager (amtmanager.js, amt/amt-wsman-comm.js and
// amt/amt-xml.js of MeshCentral 1.1.55), which is a fragile reader: no element is written in the short form `<x/>`, all
// namespaces are declared on the envelope, every answer names its ResourceURI, and no nonce holds a '='. [Quirks] turns
// these off one by one, for tests of clients that shall bear more than that.
//
// With a Config.Notify it sends alerts to those who subscribe to its events, as the firmware does ([Device.SendAlert]).
//
// Tests look inside with [Device.Power], [Device.Boots], [Device.Users], [Device.Calls] and the like, change the state
// as a person in front of the computer would ([Device.PressPowerButton], [Device.ConsentCode]), and break it with
// [Device.Inject].
package wsmantest
