// Package wsman is a client of WS-Management as Intel AMT speaks it: SOAP over HTTP with digest authentication, over any
// connection that a dial function gives, such as TCP, TLS, or a channel of a device that called in.
//
//	c, err := wsman.NewClient(wsman.Config{Address: "10.0.0.9:16992", Username: "admin", Password: wsman.NewSecret(pw)})
//	gs, err := wsman.Get[amt.GeneralSettings](ctx, c)
//	for cert, err := range wsman.Enumerate[amt.PublicKeyCertificate](ctx, c) { ... }
//
// # Layers
//
// Codecs: [Writer] and [ParseEnvelope] are bounded XML, [AppendValue] and [Decode] go between XML and Go structs,
// [Element] is what has no struct. The folder digest is the authentication, both sides of it. [Client] is the driver: it
// owns connections, retries and time. [Get], [Put], [Create], [Delete], [Enumerate] and [Invoke] are its typed forms.
//
// # Structs
//
// A class is a struct whose fields name their property in a tag, in the order of the schema:
//
//	type GeneralSettings struct {
//		HostName string          `wsman:"HostName"`
//		Realms   []uint32        `wsman:"Realms"`            // the element repeated
//		Wake     *time.Duration  `wsman:"IdleWake"`          // absent if nil
//		Server   wsman.Ref       `wsman:"Server,omitempty"`  // not written if zero
//		Present  wsman.Present                               // optional: which properties the answer had
//		Extra    []wsman.Element                             // what the struct does not name
//	}
//
// Types of fields: string, bool, integers, floats, []byte (base64), time.Time (Datetime), time.Duration (Interval), [Ref],
// [Secret], nested structs, slices of these, pointers to these, and types defined from them. Fields without a tag are
// ignored.
//
// What is written: fields that are neither pointers nor slices are, also if they are zero. Not written are nil pointers, nil
// byte slices, the zero time, the zero Ref, zero values of fields with the option omitempty, and zero values of properties
// that were not in the answer the struct was decoded from, if it has a field of type [Present]: a Put of what a Get gave
// thereby writes neither more nor less properties than the device has. The elements of nested structs that have a method
// Class are in the namespace of that class, others in that of the struct around them.
//
// Reading is lenient, as firmware is not of one mind: elements are found by their local name in whatever namespace, an array
// of one is a single element, an empty element is the zero value, booleans are true, false, 1 or 0 and are also taken for
// integers.
package wsman
