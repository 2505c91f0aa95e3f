package decode

import (
	"reflect"
	"testing"

	"quell/correlate"
)

// TestRealPayloads maps what real systems send, each with a small mapping.
func TestRealPayloads(t *testing.T) {
	for _, c := range []struct {
		name, file, spec string
		want             correlate.Event
	}{
		{"Alertmanager webhook with one alert", "alertmanager/alerta_prometheus_v4_alert.json", `
single: alerts
fields:
  dedup_key: {paths: groupKey}
  time: {paths: "alerts[0].startsAt"}
  check: {paths: "alerts[0].labels.alertname"}
  severity: {paths: "alerts[0].labels.severity"}
  status: {paths: "alerts[0].status"}
  summary: {paths: "alerts[0].annotations.summary"}`,
			correlate.Event{DedupKey: "{}:{alertname=thing_dead}", Time: 1501787857804, Check: "thing_dead",
				Severity: correlate.Critical, Status: correlate.Firing, Summary: "No things for over 10 minutes"}},
		{"CloudWatch through EventBridge", "aws-eventbridge/aws_cw_alarm_single_metric.json", `
fields:
  id: {paths: id}
  time: {paths: [detail.state.timestamp, time], layouts: [iso8601]}
  scope: {paths: account}
  service: {paths: "detail.configuration.metrics[0].metricStat.metric.namespace"}
  entity: {paths: "detail.configuration.metrics[0].metricStat.metric.dimensions.InstanceId"}
  check: {paths: detail.alarmName}
  severity: {const: error}
  status: {paths: detail.state.value, scale: cloudwatch}
  value: {match: {path: detail.state.reason, re2: "datapoints? \\[([0-9.]+)"}}`,
			correlate.Event{ID: "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", Time: 1570035880989,
				Scope: "123456789012", Service: "AWS/EC2", Entity: "i-12345678901234567",
				Check: "ServerCpuTooHigh", Severity: correlate.Error, Status: correlate.Firing,
				Value: "99.50160229693434"}},
		{"Zabbix", "zabbix/zulip_zabbix_alert.json", `
fields:
  entity: {paths: hostname}
  check: {match: {path: item, re2: "^(.*?)(?: \\(\\d+\\))?$"}, template: "${hostname}"}
  severity: {paths: severity, scale: zabbix}
  status: {paths: status, scale: zabbix}
  summary: {paths: trigger}
  url: {paths: link}
  value: {match: {path: link, re2: "eventid=(\\d+)"}}`,
			correlate.Event{Entity: "www.example.com", Check: "www.example.com", Severity: correlate.Warning,
				Status: correlate.Firing, Summary: "Zabbix agent on www.example.com is unreachable for 5 minutes",
				URL:   "https://zabbix.example.com/tr_events.php?triggerid=14032&eventid=10528",
				Value: "10528"}},
		{"Sensu", "sensu/sensu_status_only_event_api.json", `
fields:
  time: {paths: check.issued}
  scope: {paths: check.metadata.namespace}
  entity: {paths: [entity.metadata.name, entity.system.hostname]}
  check: {paths: check.metadata.name}
  severity: {paths: check.status, scale: icinga}
  summary: {paths: check.output, trim: true}`,
			correlate.Event{Time: 1617050501000, Scope: "default", Entity: "sensu-centos", Check: "check_cpu",
				Severity: correlate.Warning, Status: correlate.Resolved,
				Summary: "CheckCPU TOTAL OK: total=0.4 user=0.2 nice=0.0 system=0.2 idle=99.6 iowait=0.0 " +
					"irq=0.0 softirq=0.0 steal=0.0 guest=0.0 guest_nice=0.0"}},
		{"New Relic", "newrelic/alerta_new_relic_notification.json", `
fields:
  id: {template: "${account_id}/${incident_id}/${timestamp}"}
  time: {paths: timestamp}
  service: {paths: policy_name}
  entity: {paths: "targets[0].id"}
  check: {paths: condition_name}
  severity: {paths: severity}
  status: {paths: current_state, table: {open: firing, closed: resolved, acknowledged: firing}}
  summary: {paths: details}
  url: {paths: incident_url}`,
			correlate.Event{ID: "11111/0/1601033007849", Time: 1601033007849,
				Service: "New Relic Alert - Test Policy", Entity: "0", Check: "New Relic Alert - Test Condition",
				Severity: correlate.Info, Status: correlate.Firing, Summary: "I am a test Violation",
				URL: "https://alerts.newrelic.com/accounts/11111/incidents/0"}},
		{"Graylog", "keep-mocks/graylog.json", `
fields:
  id: {paths: event.id}
  time: {paths: event.timestamp}
  entity: {paths: event.source}
  check: {paths: event_definition_title}
  severity: {paths: event.priority, table: {"1": info, "2": warning, "3": error, "4+": critical}}
  summary: {paths: event.message}`,
			correlate.Event{ID: "01JAZZJAKS82TDZAE82E0WAENT", Time: 1729765324556, Entity: "server",
				Check: "Event - 1", Severity: correlate.Error, Status: correlate.Firing, Summary: "Event - 1"}},
		{"Azure Monitor, resolved", "azure-monitor/azure_common_alert_schema_metric_resolved.json", `
fields:
  dedup_key: {paths: data.essentials.originAlertId}
  time: {paths: [data.essentials.resolvedDateTime, data.essentials.firedDateTime]}
  entity: {paths: "data.essentials.configurationItems[0]"}
  check: {paths: data.essentials.alertRule}
  severity: {paths: data.essentials.severity, table: {Sev0: critical, Sev1: error, Sev2: warning, "Sev?": info}}
  status: {paths: data.essentials.monitorCondition, table: {Fired: firing}}
  value: {paths: "data.alertContext.condition.allOf[0].metricValue"}
labels:
  kind: {paths: data.essentials.signalType, lower: true}`,
			correlate.Event{DedupKey: "3f2d4487-b0fc-4125-8bd5-7ad17384221e_PipeLineAlertRG_microsoft.insights_metricAlerts_WCUS-R2-Gen2_-117781227",
				Time: 1553263396224, Entity: "wcus-r2-gen2", Check: "WCUS-R2-Gen2", Severity: correlate.Info,
				Status: correlate.Resolved, Value: "7.727",
				Labels: []correlate.Label{{Name: "kind", Value: "metric"}}}},
		{"Stackdriver", "gcp-monitoring/alerta_stackdriver_open.json", `
fields:
  id: {paths: incident.incident_id}
  time: {paths: [incident.ended_at, incident.started_at]}
  service: {paths: incident.policy_name}
  entity: {paths: incident.resource_name}
  check: {paths: incident.condition_name}
  status: {paths: incident.state, table: {open: firing, closed: resolved}}`,
			correlate.Event{ID: "f2e08c333dc64cb09f75eaab355393bz", Time: 1499368214000,
				Service: "Webserver Health", Entity: "webserver-85", Check: "CPU usage",
				Severity: correlate.Warning, Status: correlate.Firing}},
		{"SNMP trap", "snmp/tornado_snmptrapd_01_input.json", `
fields:
  time: {paths: PDUInfo.requestid, layouts: epoch_s}
  entity: {match: {path: PDUInfo.receivedfrom, re2: "\\[([0-9.]+)\\]"}}
  check: {template: 'ifOperStatus ${VarBinds."IF-MIB::ifOperStatus.1"}'}`,
			correlate.Event{Time: 1590637175000, Entity: "10.62.5.31", Check: "ifOperStatus 2",
				Severity: correlate.Warning, Status: correlate.Firing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := readFile(t, "payloads", c.file)
			got, notes, rejection := decodeOne(t, compileYAML(t, c.spec), string(p))
			want := c.want
			if want.Time == 0 {
				want.Time = benchMeta.Time
			}
			if want.Source = benchMeta.Topic; want.Scope == "" {
				want.Scope = "default"
			}
			if rejection != nil || notes != 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %q, %v\nwant %+v", got, notes, rejection, want)
			}
		})
	}
}

// TestSeveralAlertsInOnePayload: a webhook with several alerts is refused, not cut to the first.
func TestSeveralAlertsInOnePayload(t *testing.T) {
	f := compileYAML(t, `{single: alerts, fields: {check: {paths: "alerts[0].labels.alertname"}}}`)
	p := readFile(t, "payloads", "grafana", "zulip_grafana_alert-9-mixed.json")
	if _, _, rejection := decodeOne(t, f, string(p)); rejection == nil || rejection.Reason != MultipleEvents {
		t.Errorf("got %v, want multiple_events", rejection)
	}
}
