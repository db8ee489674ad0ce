package hostinfo

import (
	"fmt"
	"net"
	"strings"
)

// Interface is a network interface.
type Interface struct {
	Name      string
	Index     int
	MAC       string // 02:FC:00:00:00:01
	Up        bool
	Addresses []Address
}

// Address is one of an interface.
type Address struct {
	IP      string // with the zone if it is link-local
	V6      bool
	Netmask string
	Gateway string // "" if unknown
}

// ReadNetwork lists the network interfaces.
func ReadNetwork() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	gateways := readGateways()
	interfaces := make([]Interface, 0, len(list))
	for _, i := range list {
		out := Interface{Name: i.Name, Index: i.Index, MAC: mac(i.HardwareAddr), Up: i.Flags&net.FlagUp != 0}
		addrs, err := i.Addrs()
		if err != nil {
			continue // gone meanwhile
		}
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok {
				out.Addresses = append(out.Addresses, address(ip, i.Index, gateways[i.Name]))
			}
		}
		interfaces = append(interfaces, out)
	}
	return interfaces, nil
}

// mac is in the form that native agents send.
func mac(hw net.HardwareAddr) string {
	if len(hw) == 0 {
		return "00:00:00:00:00:00"
	}
	return strings.ToUpper(hw.String())
}

func address(n *net.IPNet, index int, gateway string) Address {
	if v4 := n.IP.To4(); v4 != nil {
		return Address{IP: v4.String(), Netmask: net.IP(n.Mask).String(), Gateway: gateway}
	}
	a := Address{IP: n.IP.String(), V6: true, Netmask: net.IP(n.Mask).String()}
	if n.IP.IsLinkLocalUnicast() {
		a.IP += fmt.Sprintf("%%%d", index)
	}
	return a
}
