package main

import (
	"regexp"
	"strings"
)

// initialisms are words that Go writes in capitals.
var initialisms = map[string]string{
	"Acl": "ACL", "Crl": "CRL", "Dhcp": "DHCP", "Dns": "DNS", "Eac": "EAC", "Fqdn": "FQDN", "Guid": "GUID", "Http": "HTTP",
	"Id": "ID", "Ids": "IDs", "Ip": "IP", "Ipv4": "IPv4", "Ipv6": "IPv6", "Mac": "MAC", "Oem": "OEM", "Os": "OS", "Rmcp": "RMCP",
	"Sid": "SID", "Ssid": "SSID", "Tcp": "TCP", "Tls": "TLS", "Uefi": "UEFI", "Url": "URL", "Uuid": "UUID", "Vpn": "VPN",
	"Wsman": "WSMan",
}

var word = regexp.MustCompile(`[A-Z][a-z0-9]*|[a-z0-9]+`)

// goName spells the name of a property as Go does.
func goName(name string) string {
	name = strings.ToUpper(name[:1]) + name[1:]
	return word.ReplaceAllStringFunc(name, func(w string) string {
		if s, ok := initialisms[w]; ok {
			return s
		}
		return w
	})
}
