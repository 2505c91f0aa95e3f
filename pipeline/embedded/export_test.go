package embedded

import "time"

// SetRetentionEvery lets a test see retention without waiting five minutes.
func (b *Broker) SetRetentionEvery(d time.Duration) { b.retentionEvery = d }
