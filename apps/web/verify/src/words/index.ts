/** Words of the checker. The lines, and what each missing one means, are those of `core/verify`, word for word. */
import type { Code } from '@healthtrust/kit'
import words from '@healthtrust/kit/check/lines.json'

interface Both {
  zh: string
  en: string
}
type Language = keyof Both
const lines: Record<string, Both> = words.lines
const notShown: Record<string, Both> = words.notShown
const inEmergency: Record<string, Both> = words.inEmergency

/** `emergency`: two people's signatures stand in the place of the resident's. */
export const lineText = (code: Code, language: Language, emergency: boolean): string =>
  ((emergency ? inEmergency[code] : undefined) ?? lines[code]!)[language]
/** Why a line could not be shown. */
export const whyMissing = (code: Code, language: Language): string => (notShown[code] ?? words.missing)[language]
export const restsOn = (language: Language): string => words.restsOn[language]

export const verifyZh = {
  title: '核对证明包',
  lead: '证明包说明一份健康资料是谁登记的、谁凭什么看过、内容有没有被改。核对全在您的手机或电脑里进行，文件不会发给任何人。',
  choose: '选择或拖入证明包（JSON 文件）',
  chooseMore: '可以同时选检查点文件',
  where: '证明包从哪里来：居民打开自己的一份档案点“保存凭证”，医生在资料旁点“下载证明包”；检查点向您信任的机构索取。',
  checkpoint: '加检查点',
  otherCheckpoint: '换检查点',
  other: '换一个证明包',
  print: '打印或存为 PDF',
  working: '正在核对…',
  tooLarge: '文件超过 {n} MB，不是证明包。',
  unreadable: '这个文件读不出来，请重新选择。',
  files: { bundle: '证明包', checkpoint: '检查点', none: '没有给出' },
  verdict: {
    0: '全部成立',
    1: '不成立',
    2: '这不是证明包',
    3: '已出示的都成立，但还不完整',
  },
  means: {
    0: '内容没有被改过；这次调阅符合授权，有保管机构签名的回执；依据登记在您信任的账本上。',
    1: '至少有一项与证明不符。请勿采信，并联系保管机构或审计员。',
    2: '请选择从“证明”处下载的 JSON 文件。文件可能不完整，或是别的文件。',
    3: '没有发现不符。缺少账本证明或可信检查点，所以还不能说登记在您信任的账本上。',
  },
  failing: '不成立的是：',
  notAll: '有 {n} 项没有出示，见下面各项；没有出示不等于不成立。',
  needCheckpoint: '向您信任的机构（医院、信息中心、审计员）要一份检查点文件，加进来再核对。',
  about: {
    title: '这份证明说的是',
    type: '文书',
    record: '档案编号',
    time: '调阅时间',
    purpose: '用途',
    reader: '调阅人',
    custodian: '保管机构',
    fields: '字段',
    fieldsText: '出示 {shown} 项，未出示 {withheld} 项',
    content: '出示的内容',
    notTrue: '核对不成立，下面写的不能采信。',
  },
  group: { content: '内容', access: '请求与授权', receipt: '回执', ledger: '账本' },
  ok: '成立',
  bad: '不成立',
  missing: '未出示',
  count: '成立 {ok} 项 · 不成立 {bad} 项 · 未出示 {missing} 项',
  offline: '本页打开后不再联网；断开网络也能核对。',
}

export const verifyEn: typeof verifyZh = {
  title: 'Verify a proof bundle',
  lead: 'A proof bundle shows who registered a health record, who read it on what grounds, and whether it was altered. The check runs on your own device; the file is sent to nobody.',
  choose: 'Choose or drop a proof bundle (JSON file)',
  chooseMore: 'a checkpoint file may be chosen along with it',
  where: 'Where bundles come from: residents and doctors save them beside a record. Ask somebody you trust for a checkpoint.',
  checkpoint: 'Add a checkpoint',
  otherCheckpoint: 'Another checkpoint',
  other: 'Another bundle',
  print: 'Print or save as PDF',
  working: 'Checking…',
  tooLarge: 'The file is larger than {n} MB and no proof bundle.',
  unreadable: 'This file cannot be read. Choose another.',
  files: { bundle: 'Bundle', checkpoint: 'Checkpoint', none: 'none given' },
  verdict: {
    0: 'Everything holds',
    1: 'It does not hold',
    2: 'This is not a proof bundle',
    3: 'True as far as shown, but not complete',
  },
  means: {
    0: 'The content is unaltered; the reading was permitted and has a receipt signed by the custodian; what this rests on is on the ledger you trust.',
    1: 'At least one item contradicts the proof. Do not rely on it; contact the custodian or the auditor.',
    2: 'Choose the JSON file saved under “proof”. The file may be cut short, or be something else.',
    3: 'Nothing contradicts. The ledger’s proof or a trusted checkpoint is missing, so it is not shown that this is on the ledger you trust.',
  },
  failing: 'What does not hold:',
  notAll: '{n} items are not shown, see below; not shown does not mean false.',
  needCheckpoint: 'Ask somebody you trust (a hospital, the information centre, an auditor) for a checkpoint file and add it.',
  about: {
    title: 'What this proof is about',
    type: 'Document',
    record: 'Record',
    time: 'Read at',
    purpose: 'Purpose',
    reader: 'Reader',
    custodian: 'Custodian',
    fields: 'Fields',
    fieldsText: '{shown} shown, {withheld} withheld',
    content: 'Content shown',
    notTrue: 'The check failed: what is written below cannot be relied on.',
  },
  group: { content: 'Content', access: 'Request and consent', receipt: 'Receipt', ledger: 'Ledger' },
  ok: 'holds',
  bad: 'does not hold',
  missing: 'not shown',
  count: '{ok} hold · {bad} do not · {missing} not shown',
  offline: 'This page uses no network once it is open; it works with the network switched off.',
}
