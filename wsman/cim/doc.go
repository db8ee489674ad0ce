// Package cim has the classes of the CIM schema that Intel AMT offers by WS-Management: the hardware, its power, what it
// boots from, wireless networks. Those with Intel's own prefixes are in packages amt and ips.
//
// The files that end in _gen.go are generated from the tables in internal/wsmangen/tables. A class is a struct that
// [wsman.Get] and [wsman.Enumerate] read; a method is a struct of its parameters, with a method Invoke:
//
//	bios, err := wsman.Get[cim.BIOSElement](ctx, c)
//	for m, err := range wsman.Enumerate[cim.PhysicalMemory](ctx, c) { ... }
//	out, err := (&cim.PowerManagementServiceRequestPowerStateChange{
//		PowerState:     cim.PowerStateMasterBusReset,
//		ManagedElement: cim.ManagedSystem(),
//	}).Invoke(ctx, c)
//
// Programs that handle classes by their names, such as simulators, have [New], [NewInput], [NewOutput], [Classes] and
// [Methods].
package cim
