// Package ips has the classes of Intel AMT whose names start with IPS_: activation by the host, the user's consent, settings of
// the remote screen, alarms, proxies for CIRA. The others are in packages amt and cim.
//
// The files that end in _gen.go are generated from the tables in internal/wsmangen/tables. A class is a struct that
// [wsman.Get] and [wsman.Enumerate] read; a method is a struct of its parameters, with a method Invoke:
//
//	optin, err := wsman.Get[ips.OptInService](ctx, c)
//	out, err := (&ips.OptInServiceSendOptInCode{OptInCode: code}).Invoke(ctx, c)
//
// Programs that handle classes by their names, such as simulators, have [New], [NewInput], [NewOutput], [Classes] and
// [Methods].
package ips
