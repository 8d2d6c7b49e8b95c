/** Where the steps of a life stand in the picture: time from left to right, a lane for each who acted. Pure; lengths in CSS pixels. */
import { ALLIANCE, RESIDENT, type Life, type Link, type Step } from './life'

const HEIGHT = 60
const GAP = { x: 22, y: 12 }
/** From one column to the next: as wide as there is room for, within these. */
const PITCH = { least: 114, most: 144 }
const MARGIN = 14
/** Links within one column swing out to its right; the last column needs room for them and their arrows. */
const SWING = 26
const RIGHT = SWING + MARGIN
export const AXIS = 34

export interface Placed {
  step: Step
  x: number
  y: number
}
export interface Lane {
  id: string
  y: number
  height: number
}
export interface Picture {
  lanes: Lane[]
  placed: Placed[]
  /** SVG path of each link. */
  paths: { link: Link; d: string }[]
  times: { x: number; time: number }[]
  /** Of every step. */
  box: { width: number; height: number }
  width: number
  height: number
}

/** `most`: of more steps than that the newest are drawn. `room`: the width it should fit, where it can. */
export function pictureOf(life: Life, most: number, room = Infinity): Picture {
  const steps = life.steps.slice(-most)
  const times = [...new Set(steps.map((s) => s.time))]
  const pitch = Math.max(PITCH.least, Math.min(PITCH.most, Math.floor((room - MARGIN - RIGHT + GAP.x) / times.length)))
  const box = { width: pitch - GAP.x, height: HEIGHT }
  const column = new Map(times.map((time, i) => [time, MARGIN + i * pitch]))
  const lanes = lanesOf(steps)
  const placed = lanes.flatMap((lane) => placeLane(steps, lane, column))
  const at = new Map(placed.map((p) => [p.step.id, p]))
  const paths = life.links.flatMap((link) => pathOf(link, at, box.width))
  const last = lanes.at(-1)
  return {
    lanes,
    placed,
    paths,
    times: times.map((time) => ({ x: column.get(time)!, time })),
    box,
    width: MARGIN + RIGHT + times.length * pitch - GAP.x,
    height: (last ? last.y + last.height : 0) + AXIS,
  }
}

/** Lanes in the order in which they first act; the person first, the alliance last. */
function lanesOf(steps: Step[]): Lane[] {
  const rank = (id: string): number => (id === RESIDENT ? 0 : id === ALLIANCE ? 2 : 1)
  const ids = [...new Set(steps.map((s) => s.lane))].sort((a, b) => rank(a) - rank(b))
  let y = 0
  return ids.map((id) => {
    const counts = new Map<number, number>()
    for (const s of steps) if (s.lane === id) counts.set(s.time, (counts.get(s.time) ?? 0) + 1)
    const height = Math.max(...counts.values()) * (HEIGHT + GAP.y) + GAP.y
    const lane = { id, y, height }
    y += height
    return lane
  })
}

function placeLane(steps: Step[], lane: Lane, column: Map<number, number>): Placed[] {
  const used = new Map<number, number>()
  return steps
    .filter((s) => s.lane === lane.id)
    .map((step) => {
      const row = used.get(step.time) ?? 0
      used.set(step.time, row + 1)
      return { step, x: column.get(step.time)!, y: lane.y + GAP.y + row * (HEIGHT + GAP.y) }
    })
}

function pathOf(link: Link, at: Map<string, Placed>, width: number): { link: Link; d: string }[] {
  const [from, to] = [at.get(link.source), at.get(link.target)]
  if (!from || !to || from === to) return []
  const middle = HEIGHT / 2
  const [y1, y2] = [from.y + middle, to.y + middle]
  if (from.x === to.x) {
    const side = from.x + width
    return [{ link, d: `M${side} ${y1} C${side + SWING} ${y1} ${side + SWING} ${y2} ${side + 1} ${y2}` }]
  }
  const [x1, x2] = [from.x + width, to.x - 1]
  const bend = Math.min(46, (x2 - x1) / 2 + 8)
  return [{ link, d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }]
}
