import { page } from '../kit/vite'

export default page('verify')
