package amt

import (
	"encoding/binary"
	"time"
)

// Every returns ExtendedData of a rule that connects once in a while: [TriggerPeriodic], in whole seconds.
func Every(d time.Duration) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0)
	return binary.BigEndian.AppendUint32(b, uint32(min(max(d/time.Second, 1), 1<<31))) //nolint:gosec // in range
}

// Daily returns ExtendedData of a rule that connects once a day at a time: [TriggerPeriodic].
func Daily(hour, minute uint8) []byte {
	b := binary.BigEndian.AppendUint32(nil, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(hour))
	return binary.BigEndian.AppendUint32(b, uint32(minute))
}
