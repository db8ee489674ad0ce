package controlproto

import (
	"fmt"
	"strconv"
	"strings"
)

type rightName struct {
	bit  uint32
	name string
}

const fullRights = 0xFFFFFFFF

func formatRights(v uint32, names []rightName) string {
	switch v {
	case 0:
		return "none"
	case fullRights:
		return "full"
	}
	var parts []string
	for _, n := range names {
		if v&n.bit != 0 {
			parts = append(parts, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		parts = append(parts, "0x"+strconv.FormatUint(uint64(v), 16))
	}
	return strings.Join(parts, ",")
}

func parseRights(s string, names []rightName, more map[string]uint32) (v uint32, err error) {
	for part := range strings.SplitSeq(s, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		switch part {
		case "", "none":
			continue
		case "full":
			v = fullRights
			continue
		}
		if bit, ok := more[part]; ok {
			v |= bit
			continue
		}
		known := false
		for _, n := range names {
			if n.name == part {
				v, known = v|n.bit, true
			}
		}
		if known {
			continue
		}
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil {
			return 0, fmt.Errorf("controlproto: unknown right %.64q", part)
		}
		v |= uint32(n)
	}
	return v, nil
}
